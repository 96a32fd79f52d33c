//! Nulls of the target that were written as nothing at all, which the tool drops where it walks.

use serde_json::Value;

use super::Merge;

impl Merge<'_> {
    /// Takes out the null at a JSON pointer, unless it is inside of a list that does not merge.
    pub(super) fn drop_bare(&self, target: &mut Value, pointer: &str) {
        let parts: Vec<String> = pointer
            .split('/')
            .skip(1)
            .map(|part| part.replace("~1", "/").replace("~0", "~"))
            .collect();
        let Some((last, way)) = parts.split_last() else {
            return;
        };
        let mut schema = self.own_schema(target);
        let mut at = target;
        for part in way {
            let next = match at {
                Value::Object(map) => {
                    schema = schema.and_then(|s| s.field(part));
                    map.get_mut(part)
                }
                Value::Array(items) => {
                    let merges = schema
                        .and_then(|s| s.merge_keys())
                        .is_some_and(|keys| !keys.is_empty());
                    schema = schema.and_then(|s| s.elements());
                    let place = part.parse().ok().filter(|_| merges);
                    place.and_then(|place: usize| items.get_mut(place))
                }
                _ => None,
            };
            let Some(next) = next else { return };
            schema = schema.or_else(|| self.own_schema(next));
            at = next;
        }
        if let Some(map) = at
            .as_object_mut()
            .filter(|m| m.get(last).is_some_and(Value::is_null))
        {
            map.shift_remove(last);
        }
    }
}
