use serde_json::Value;

use super::field::visit;
use crate::Error;
use crate::file::KustFile;
use crate::resource::Resource;

const KINDS: [&str; 4] = ["Deployment", "ReplicationController", "ReplicaSet", "StatefulSet"];

/// `replicas`: sets the count of the workloads that have or had a name.
pub(crate) fn run(file: &KustFile, all: &mut [Resource]) -> Result<(), Error> {
    for (i, replica) in file.replicas.iter().enumerate() {
        let mut found = false;
        for resource in all
            .iter_mut()
            .filter(|r| r.any_id(|id| id.name == replica.name && KINDS.contains(&id.kind.as_str())))
        {
            found = true;
            visit(&mut resource.value, "spec/replicas", true, &mut |v| {
                *v = Value::from(replica.count);
                Ok::<(), Error>(())
            })?;
        }
        if !found {
            let text = format!(
                "no Deployment, ReplicationController, ReplicaSet or StatefulSet is named {:?}",
                replica.name
            );
            return Err(file.place(&format!("replicas/{i}"), Error::invalid(text)));
        }
    }
    Ok(())
}
