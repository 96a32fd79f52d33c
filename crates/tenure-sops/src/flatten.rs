//! Metadata in formats without depth: `age__list_0__map_enc` stands for `age[0].enc`.

use std::collections::BTreeMap;

use crate::tree::{Entry, Item, Node, pairs};

const MAP: &str = "__map_";
const LIST: &str = "__list_";

/// More elements than any metadata has.
const LONGEST: usize = 4096;

enum Place {
    Leaf(Node),
    Map(BTreeMap<String, Self>),
    List(BTreeMap<usize, Self>),
}

enum Step<'a> {
    Key(&'a str),
    Index(usize),
}

/// The branch that a flat one stands for.
///
/// # Errors
/// When a list has gaps, or a place is two things.
pub(crate) fn unflatten(flat: &[Item]) -> Result<Vec<Item>, String> {
    let mut root = Place::Map(BTreeMap::new());
    for (key, node) in pairs(flat) {
        put(&mut root, &steps(key)?, node.clone(), key)?;
    }
    match node(root)? {
        Node::Branch(branch) => Ok(branch),
        _ => Ok(Vec::new()),
    }
}

fn steps(key: &str) -> Result<Vec<Step<'_>>, String> {
    let mut steps = Vec::new();
    let mut rest = key;
    let mut is_list = false;
    loop {
        let map = rest.find(MAP);
        let list = rest.find(LIST);
        let next = match (map, list) {
            (Some(m), Some(l)) if l < m => Some((l, LIST, true)),
            (Some(m), _) => Some((m, MAP, false)),
            (None, Some(l)) => Some((l, LIST, true)),
            (None, None) => None,
        };
        let (word, after) = match next {
            Some((at, separator, list)) => {
                let (word, after) = rest.split_at(at);
                (
                    word,
                    Some((after.strip_prefix(separator).unwrap_or_default(), list)),
                )
            }
            None => (rest, None),
        };
        steps.push(if is_list {
            let index = word.parse().ok().filter(|index| *index < LONGEST);
            Step::Index(index.ok_or_else(|| format!("{key} has no index in its list"))?)
        } else {
            Step::Key(word)
        });
        match after {
            Some((after, list)) => (rest, is_list) = (after, list),
            None => return Ok(steps),
        }
    }
}

fn put(root: &mut Place, steps: &[Step<'_>], leaf: Node, key: &str) -> Result<(), String> {
    let mut place = root;
    for (i, step) in steps.iter().enumerate() {
        let fresh = || match steps.get(i + 1) {
            None => Place::Leaf(Node::Null),
            Some(Step::Key(_)) => Place::Map(BTreeMap::new()),
            Some(Step::Index(_)) => Place::List(BTreeMap::new()),
        };
        place = match (place, step) {
            (Place::Map(map), Step::Key(key)) => map.entry((*key).to_owned()).or_insert_with(fresh),
            (Place::List(list), Step::Index(index)) => list.entry(*index).or_insert_with(fresh),
            _ => return Err(format!("{key} is two things at once")),
        };
    }
    match place {
        Place::Leaf(Node::Null) => {
            *place = Place::Leaf(leaf);
            Ok(())
        }
        _ => Err(format!("{key} is there twice")),
    }
}

fn node(place: Place) -> Result<Node, String> {
    Ok(match place {
        Place::Leaf(leaf) => leaf,
        Place::Map(map) => {
            let pair = |(key, place)| Ok(Item::Pair(key, node(place)?));
            Node::Branch(map.into_iter().map(pair).collect::<Result<_, String>>()?)
        }
        Place::List(list) => {
            if list.keys().enumerate().any(|(i, index)| i != *index) {
                return Err("a list has gaps".to_owned());
            }
            let entry = |place| Ok(Entry::Node(node(place)?));
            Node::List(list.into_values().map(entry).collect::<Result<_, String>>()?)
        }
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn flat(keys: &[&str]) -> Vec<Item> {
        keys.iter()
            .map(|key| Item::Pair((*key).to_owned(), Node::text(key)))
            .collect()
    }

    #[test]
    fn names_say_where_values_belong() {
        let got =
            unflatten(&flat(&["mac", "age__list_1__map_enc", "age__list_0__map_enc"])).expect("good names");
        let leaf = |key| Item::Pair("enc".to_owned(), Node::text(key));
        let list = vec![
            Entry::Node(Node::Branch(vec![leaf("age__list_0__map_enc")])),
            Entry::Node(Node::Branch(vec![leaf("age__list_1__map_enc")])),
        ];
        let want = vec![
            Item::Pair("age".to_owned(), Node::List(list)),
            Item::Pair("mac".to_owned(), Node::text("mac")),
        ];
        assert_eq!(got, want);
    }

    #[test]
    fn what_fits_nowhere_is_an_error() {
        for keys in [
            &["a__list_1"][..],
            &["a", "a__map_b"],
            &["a__list_0", "a__map_b"],
            &["a__list_x"],
            &["a__list_99999999"],
            &["a", "a"],
        ] {
            assert!(unflatten(&flat(keys)).is_err(), "{keys:?}");
        }
    }
}
