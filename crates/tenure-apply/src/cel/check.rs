//! What can be said of an expression without evaluating it.

use cel::common::ast::{CallExpr, EntryExpr, Expr, IdedExpr, LiteralValue};
use cel::{IdedExpr as Node, Program};

/// Something wrong at a place that counts from one.
pub(super) struct Issue {
    pub(super) line: usize,
    pub(super) column: usize,
    pub(super) message: String,
}

/// Every function that an expression may call, operators and what macros make aside.
const FUNCTIONS: &[&str] = &[
    "base64.decode",
    "base64.encode",
    "bool",
    "bytes",
    "charAt",
    "contains",
    "double",
    "duration",
    "dyn",
    "endsWith",
    "format",
    "getDate",
    "getDayOfMonth",
    "getDayOfWeek",
    "getDayOfYear",
    "getFullYear",
    "getHours",
    "getMilliseconds",
    "getMinutes",
    "getMonth",
    "getSeconds",
    "hasValue",
    "indexOf",
    "int",
    "join",
    "lastIndexOf",
    "lowerAscii",
    "matches",
    "optional.none",
    "optional.of",
    "optional.ofNonZeroValue",
    "or",
    "orValue",
    "replace",
    "reverse",
    "sets.contains",
    "sets.equivalent",
    "sets.intersects",
    "size",
    "split",
    "startsWith",
    "string",
    "strings.quote",
    "substring",
    "timestamp",
    "trim",
    "type",
    "uint",
    "upperAscii",
    "value",
];
/// Names that mean a type, or a package of functions.
const NAMES: &[&str] = &[
    "base64",
    "bool",
    "bytes",
    "double",
    "google",
    "int",
    "list",
    "map",
    "null_type",
    "optional",
    "optional_type",
    "sets",
    "string",
    "strings",
    "type",
    "uint",
];
const BOOLEAN_OPERATORS: &[&str] = &[
    "_&&_",
    "_||_",
    "!_",
    "_==_",
    "_!=_",
    "_<_",
    "_<=_",
    "_>_",
    "_>=_",
    "@in",
    "_in_",
    "@not_strictly_false",
];
const BOOLEAN_FUNCTIONS: &[&str] = &[
    "bool",
    "contains",
    "endsWith",
    "hasValue",
    "matches",
    "sets.contains",
    "sets.equivalent",
    "sets.intersects",
    "startsWith",
];

/// How deep loops are within each other.
pub(super) fn loops(node: &Node) -> usize {
    let within = children(&node.expr).into_iter().map(loops).max().unwrap_or(0);
    within + usize::from(matches!(node.expr, Expr::Comprehension(_)))
}

/// Names that nothing stands for.
pub(super) fn unknown(program: &Program, variables: &[&str]) -> Vec<Issue> {
    let mut scope: Vec<String> = variables
        .iter()
        .chain(NAMES)
        .map(|&name| name.to_owned())
        .collect();
    let mut found = Vec::new();
    names(program.expression(), &mut scope, &mut |node, name| {
        let (line, column) = place(program, node.id);
        found.push(Issue {
            line,
            column,
            message: format!("undeclared reference to '{name}' (in container '')"),
        });
    });
    found
}

fn names(node: &IdedExpr, scope: &mut Vec<String>, report: &mut impl FnMut(&IdedExpr, &str)) {
    match &node.expr {
        Expr::Ident(name) if !scope.contains(name) => report(node, name),
        Expr::Comprehension(comprehension) => {
            names(&comprehension.iter_range, scope, report);
            names(&comprehension.accu_init, scope, report);
            let before = scope.len();
            scope.extend([comprehension.iter_var.clone(), comprehension.accu_var.clone()]);
            scope.extend(comprehension.iter_var2.clone());
            for part in [
                &comprehension.loop_cond,
                &comprehension.loop_step,
                &comprehension.result,
            ] {
                names(part, scope, report);
            }
            scope.truncate(before);
        }
        Expr::Call(call) => {
            let name = qualified(call);
            let operator = name.contains(['_', '@', '!']) || name == "-";
            if !operator && !FUNCTIONS.contains(&name.as_str()) {
                report(node, &name);
            }
            children(&node.expr)
                .into_iter()
                .for_each(|child| names(child, scope, report));
        }
        other => children(other)
            .into_iter()
            .for_each(|child| names(child, scope, report)),
    }
}

/// `sets.contains` is a call of `contains` on the name `sets`.
fn qualified(call: &CallExpr) -> String {
    match call.target.as_deref().map(|target| &target.expr) {
        Some(Expr::Ident(name)) if NAMES.contains(&name.as_str()) => format!("{name}.{}", call.func_name),
        _ => call.func_name.clone(),
    }
}

/// The type that an expression comes out as, as far as that can be said: `bool` where a check at
/// evaluation has to decide.
pub(super) fn output(node: &Node) -> &'static str {
    match &node.expr {
        Expr::Literal(literal) => match literal {
            LiteralValue::Boolean(_) => "bool",
            LiteralValue::Bytes(_) => "bytes",
            LiteralValue::Double(_) => "double",
            LiteralValue::Int(_) => "int",
            LiteralValue::Null => "null",
            LiteralValue::String(_) => "string",
            LiteralValue::UInt(_) => "uint",
        },
        Expr::Select(select) if select.test => "bool",
        Expr::Select(_) => "dyn",
        Expr::Ident(_) => "map(string, dyn)",
        Expr::List(_) => "list(dyn)",
        Expr::Map(_) => "map(dyn, dyn)",
        Expr::Call(call) => of_call(call),
        Expr::Comprehension(comprehension) => match output(&comprehension.accu_init) {
            "list(dyn)" => "list(dyn)",
            _ => "bool",
        },
        _ => "dyn",
    }
}

fn of_call(call: &CallExpr) -> &'static str {
    let name = qualified(call);
    let nth = |at: usize| call.args.get(at).map_or("dyn", output);
    match name.as_str() {
        name if BOOLEAN_OPERATORS.contains(&name) || BOOLEAN_FUNCTIONS.contains(&name) => "bool",
        "_?_:_" if nth(1) == nth(2) => nth(1),
        // what an optional holds is known when it is there
        "orValue" => nth(0),
        "size" | "indexOf" | "lastIndexOf" | "int" => "int",
        "uint" => "uint",
        "double" => "double",
        "string" | "lowerAscii" | "upperAscii" | "trim" | "replace" | "join" | "substring" | "charAt" => {
            "string"
        }
        _ => "dyn",
    }
}

/// The longest chain of fields that begins with this name, as the expression says it.
pub(super) fn path(node: &Node, name: &str) -> Option<String> {
    fn chain(expr: &Expr) -> Option<Vec<&str>> {
        match expr {
            Expr::Ident(name) => Some(vec![name]),
            Expr::Select(select) => {
                let mut all = chain(&select.operand.expr)?;
                all.push(&select.field);
                Some(all)
            }
            _ => None,
        }
    }
    if let Some(found) = chain(&node.expr) {
        return (found.first() == Some(&name)).then(|| found.join("."));
    }
    children(&node.expr)
        .into_iter()
        .find_map(|child| path(child, name))
}

fn children(expr: &Expr) -> Vec<&IdedExpr> {
    match expr {
        Expr::Call(call) => {
            let target = call.target.as_deref();
            // the name of a package is no variable
            target.into_iter().chain(&call.args).collect()
        }
        Expr::Comprehension(c) => vec![&c.iter_range, &c.accu_init, &c.loop_cond, &c.loop_step, &c.result],
        Expr::List(list) => list.elements.iter().collect(),
        Expr::Map(map) => map
            .entries
            .iter()
            .flat_map(|entry| of_entry(&entry.expr))
            .collect(),
        Expr::Struct(made) => made
            .entries
            .iter()
            .flat_map(|entry| of_entry(&entry.expr))
            .collect(),
        Expr::Select(select) => vec![&select.operand],
        Expr::Ident(_) | Expr::Literal(_) | Expr::Unspecified => Vec::new(),
    }
}

fn of_entry(entry: &EntryExpr) -> Vec<&IdedExpr> {
    match entry {
        EntryExpr::StructField(field) => vec![&field.value],
        EntryExpr::MapEntry(entry) => vec![&entry.key, &entry.value],
    }
}

fn place(program: &Program, id: u64) -> (usize, usize) {
    let info = program.source_info();
    let start = info.offset_for(id).map_or(0, |(start, _)| start as usize);
    let before: String = info.source.chars().take(start).collect();
    let line = before.matches('\n').count() + 1;
    let column = before.chars().rev().take_while(|c| *c != '\n').count() + 1;
    (line, column)
}
