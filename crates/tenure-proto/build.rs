//! Compiles the two protocols, without a protoc on the machine.

use std::path::Path;

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let root = Path::new("proto");
    let files = [
        "tenure/lifeline/v1/lifeline.proto",
        "tenure/source/v1/source.proto",
    ];
    for file in files {
        println!("cargo::rerun-if-changed=proto/{file}");
    }
    let descriptors = protox::compile(files, [root])?;
    // Credentials, tokens and bytes must not be printable: these get a hand-written Debug in lib.rs.
    let mut prost = tonic_prost_build::configure();
    for secret in [
        ".tenure.lifeline.v1.Token",
        ".tenure.lifeline.v1.Start",
        ".tenure.source.v1.Credential",
        ".tenure.source.v1.Credential.kind",
        ".tenure.source.v1.Basic",
        ".tenure.source.v1.Ssh",
        ".tenure.source.v1.ResolveResponse",
        ".tenure.source.v1.FetchRequest",
        ".tenure.source.v1.GitSpec",
        ".tenure.source.v1.OciSpec",
        ".tenure.source.v1.HelmSpec",
        ".tenure.source.v1.BucketSpec",
        ".tenure.source.v1.FileSpec",
        ".tenure.source.v1.Keys",
        ".tenure.source.v1.GithubApp",
        ".tenure.source.v1.Ldap",
        ".tenure.source.v1.Proxy",
    ] {
        prost = prost.skip_debug([secret]);
    }
    prost.compile_fds(descriptors)?;
    Ok(())
}
