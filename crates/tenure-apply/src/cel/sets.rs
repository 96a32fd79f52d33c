//! `sets.contains`, `sets.equivalent` and `sets.intersects`, which the library does not have.

use cel::common::types::{CelBool, LIST_TYPE};
use cel::common::value::CowVal;
use cel::{DeclarationError, Env, ExecutionError, Value};

type Args<'b, 'v> = Vec<CowVal<'b, 'v>>;
type Outcome<'b, 'v> = Result<CowVal<'b, 'v>, ExecutionError>;

pub(super) fn add(env: &mut Env) -> Result<(), DeclarationError> {
    let lists = || vec![LIST_TYPE, LIST_TYPE];
    env.add_overload("sets.contains", "list_sets_contains_list", lists(), contains)?;
    env.add_overload(
        "sets.equivalent",
        "list_sets_equivalent_list",
        lists(),
        equivalent,
    )?;
    env.add_overload(
        "sets.intersects",
        "list_sets_intersects_list",
        lists(),
        intersects,
    )
}

fn contains<'b, 'v>(args: Args<'b, 'v>) -> Outcome<'b, 'v> {
    decide(&args, |a, b| b.iter().all(|item| a.contains(item)))
}

fn equivalent<'b, 'v>(args: Args<'b, 'v>) -> Outcome<'b, 'v> {
    decide(&args, |a, b| {
        b.iter().all(|item| a.contains(item)) && a.iter().all(|item| b.contains(item))
    })
}

fn intersects<'b, 'v>(args: Args<'b, 'v>) -> Outcome<'b, 'v> {
    decide(&args, |a, b| a.iter().any(|item| b.contains(item)))
}

fn decide<'b, 'v>(args: &Args<'b, 'v>, rule: impl Fn(&[Value], &[Value]) -> bool) -> Outcome<'b, 'v> {
    let list = |at: usize| match args.get(at).map(|value| Value::try_from(value.as_ref())) {
        Some(Ok(Value::List(items))) => Ok(items),
        _ => Err(ExecutionError::no_such_overload("sets", Vec::new())),
    };
    let (a, b) = (list(0)?, list(1)?);
    Ok(CowVal::owned(CelBool::from(rule(&a, &b))))
}
