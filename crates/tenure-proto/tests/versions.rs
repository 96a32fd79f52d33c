//! Parts of versions one apart run side by side during an upgrade: what the version before says, this one understands, and the
//! reverse. `previous/` has the protocols of the version before; a release replaces it.
#![allow(clippy::unwrap_used, reason = "a test that fails says where")]

use std::collections::BTreeMap;

use prost_types::{DescriptorProto, EnumDescriptorProto, FileDescriptorSet};

const FILES: [&str; 2] = [
    "tenure/lifeline/v1/lifeline.proto",
    "tenure/source/v1/source.proto",
];

/// Everything that both sides must agree on, by its full name.
type Contract = BTreeMap<String, String>;

fn contract(directory: &str) -> Contract {
    of(&protox::compile(FILES, [directory]).unwrap())
}

fn of(set: &FileDescriptorSet) -> Contract {
    let mut contract = Contract::new();
    for file in &set.file {
        let package = file.package();
        for message in &file.message_type {
            take_message(&mut contract, package, message);
        }
        for values in &file.enum_type {
            take_enum(&mut contract, package, values);
        }
        for service in &file.service {
            for method in &service.method {
                let name = format!("{package}.{}.{}", service.name(), method.name());
                let (client, server) = (method.client_streaming(), method.server_streaming());
                let (input, output) = (method.input_type(), method.output_type());
                contract.insert(name, format!("{input} {client} {output} {server}"));
            }
        }
    }
    contract
}

fn take_message(contract: &mut Contract, scope: &str, message: &DescriptorProto) {
    let scope = format!("{scope}.{}", message.name());
    for field in &message.field {
        let oneof = field
            .oneof_index
            .and_then(|at| message.oneof_decl.get(usize::try_from(at).ok()?));
        let oneof = oneof.map(|oneof| oneof.name());
        let (name, kind, of) = (field.name(), field.r#type().as_str_name(), field.type_name());
        let label = field.label().as_str_name();
        contract.insert(
            format!("{scope}#{}", field.number()),
            format!("{name} {kind} {of} {label} {oneof:?}"),
        );
    }
    for inner in &message.nested_type {
        take_message(contract, &scope, inner);
    }
    for values in &message.enum_type {
        take_enum(contract, &scope, values);
    }
}

fn take_enum(contract: &mut Contract, scope: &str, values: &EnumDescriptorProto) {
    for value in &values.value {
        let name = format!("{scope}.{}#{}", values.name(), value.number());
        contract.insert(name, value.name().to_owned());
    }
}

/// What was agreed on before and is not so any more.
fn broken(before: &Contract, now: &Contract) -> Vec<String> {
    before
        .iter()
        .filter(|(name, shape)| now.get(*name) != Some(shape))
        .map(|(name, shape)| format!("{name}: {shape:?} is now {:?}", now.get(name)))
        .collect()
}

#[test]
fn what_the_version_before_says_means_the_same_now() {
    let before = contract("previous");
    assert!(before.len() > 100, "there is something to compare");
    assert_eq!(broken(&before, &contract("proto")), Vec::<String>::new());
}

#[test]
fn a_field_of_another_type_or_place_is_found() {
    let now = contract("proto");
    let mut before = now.clone();
    let limit = "tenure.lifeline.v1.Limits#2".to_owned();
    let shape = now.get(&limit).unwrap().replace("UINT32", "UINT64");
    before.insert(limit, shape);
    before.insert("tenure.lifeline.v1.Limits#999".to_owned(), "gone".to_owned());
    assert_eq!(broken(&before, &now).len(), 2);
}
