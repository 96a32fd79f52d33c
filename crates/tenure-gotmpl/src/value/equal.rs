use super::{Shape, Value};

/// Levels that are compared; values deeper than that are taken to differ.
const DEPTH: u32 = 500;

/// Go's `reflect.DeepEqual`: types and contents are the same, nil is not empty.
#[must_use]
pub fn deep_equal(a: &Value, b: &Value) -> bool {
    equal(a, b, 0)
}

fn equal(a: &Value, b: &Value, depth: u32) -> bool {
    if depth > DEPTH {
        return false;
    }
    match (a, b) {
        (Value::Nil, Value::Nil) => true,
        (Value::Bool(a), Value::Bool(b)) => a == b,
        (Value::Int(a), Value::Int(b)) | (Value::Int64(a), Value::Int64(b)) => a == b,
        (Value::Uint8(a), Value::Uint8(b)) => a == b,
        (Value::Uint64(a), Value::Uint64(b)) => a == b,
        (Value::Float(a), Value::Float(b)) => a == b,
        (Value::Complex(a, b), Value::Complex(c, d)) => a == c && b == d,
        (Value::String(a), Value::String(b)) | (Value::Bytes(a), Value::Bytes(b)) => a == b,
        (Value::List(a), Value::List(b)) => {
            a.kind() == b.kind()
                && a.is_nil() == b.is_nil()
                && a.len() == b.len()
                && (a.same(b)
                    || a.to_vec()
                        .iter()
                        .zip(&b.to_vec())
                        .all(|(a, b)| equal(a, b, depth + 1)))
        }
        (Value::Map(a), Value::Map(b)) => {
            a.kind() == b.kind()
                && a.is_nil() == b.is_nil()
                && a.len() == b.len()
                && (a.same(b)
                    || a.entries()
                        .iter()
                        .zip(&b.entries())
                        .all(|((k, a), (l, b))| k == l && equal(a, b, depth + 1)))
        }
        (Value::Object(a), Value::Object(b)) => {
            a.type_name() == b.type_name()
                && (std::rc::Rc::ptr_eq(a, b) || shapes(&a.shape(), &b.shape(), depth))
        }
        _ => false,
    }
}

fn shapes(a: &Shape, b: &Shape, depth: u32) -> bool {
    match (a, b) {
        (Shape::Struct(a), Shape::Struct(b)) | (Shape::Pointer(a), Shape::Pointer(b)) => {
            a.len() == b.len()
                && a.iter()
                    .zip(b)
                    .all(|(a, b)| a.name == b.name && equal(&a.value, &b.value, depth + 1))
        }
        (Shape::Map(a), Shape::Map(b)) => equal(&Value::Map(a.clone()), &Value::Map(b.clone()), depth + 1),
        (Shape::List(a), Shape::List(b)) => {
            equal(&Value::List(a.clone()), &Value::List(b.clone()), depth + 1)
        }
        (Shape::Plain(a), Shape::Plain(b)) => equal(a, b, depth + 1),
        _ => false,
    }
}
