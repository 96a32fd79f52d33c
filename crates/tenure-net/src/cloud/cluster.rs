//! Clusters of clouds: where they are, whom to trust there, and what opens them. As the clouds document it, and as
//! `kubeConfig.configMapRef` of Flux has it.

use std::time::SystemTime;

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use serde::Deserialize;
use serde_json::Value;
use tenure_core::Secret;
use zeroize::Zeroizing;

use super::exchange::{AWS, AZURE, GOOGLE, domain};
use super::{Access, CloudError, Identity, Places, Talk, Workload};
use crate::Outbound;
use crate::aws::{Keys, Scope};

const GOOGLE_CLUSTERS: &str = "https://container.googleapis.com";
const AZURE_MANAGEMENT: &str = "https://management.azure.com";
/// The API servers of AKS, for tokens.
const AKS_SCOPE: &str = "6dae42f8-4368-4678-94ff-3960e28e3630/.default";
const AKS_VERSION: &str = "api-version=2024-05-01";
/// Seconds; the API server takes a token for a quarter of an hour, whatever this says.
const EKS_LIFE: u32 = 60;
const EKS_PREFIX: &str = "k8s-aws-v1.";

/// A cluster as it is asked for.
#[derive(Clone, Debug, Default)]
pub struct Managed {
    /// Its name in the cloud: an ARN, `projects/…/clusters/…`, `/subscriptions/…/managedClusters/…`.
    pub resource: String,
    /// Where its API server is, if the cloud need not be asked.
    pub address: Option<String>,
    /// Who vouches for it, PEM, if the cloud need not be asked.
    pub ca_pem: Option<Vec<u8>>,
}

/// A cluster that can be spoken to.
#[derive(Clone, Debug)]
pub struct Described {
    /// Where its API server is.
    pub address: String,
    /// Who vouches for it, PEM.
    pub ca_pem: Vec<u8>,
    /// Opens it, for a quarter of an hour at least.
    pub token: Secret,
}

#[derive(Deserialize)]
struct Eks {
    cluster: EksCluster,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct EksCluster {
    endpoint: String,
    certificate_authority: EksAuthority,
}

#[derive(Deserialize)]
struct EksAuthority {
    data: String,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Gke {
    endpoint: String,
    master_auth: GkeAuth,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct GkeAuth {
    cluster_ca_certificate: String,
}

#[derive(Deserialize)]
struct Aks {
    #[serde(default)]
    kubeconfigs: Vec<AksConfig>,
}

#[derive(Deserialize)]
struct AksConfig {
    value: String,
}

impl Workload {
    /// Finds the cluster, and gets a token for it.
    ///
    /// # Errors
    /// The cluster's name is none of the workload's cloud; the cloud refuses or can't be reached.
    pub async fn open_cluster(
        &self,
        cluster: &Managed,
        outbound: &Outbound,
        places: &Places,
    ) -> Result<Described, CloudError> {
        match &self.identity {
            Identity::Aws { .. } => self.eks(cluster, outbound, places).await,
            Identity::Google { .. } => self.gke(cluster, outbound, places).await,
            Identity::Azure { .. } => self.aks(cluster, outbound, places).await,
        }
    }

    async fn eks(
        &self,
        cluster: &Managed,
        outbound: &Outbound,
        places: &Places,
    ) -> Result<Described, CloudError> {
        let talk = Talk::open(outbound, AWS)?;
        let (region, name) = eks_name(&cluster.resource)
            .ok_or_else(|| unnamed(&talk, cluster, "arn:aws:eks:<region>:<account>:cluster/<name>"))?;
        let keys = self.aws_keys(region, outbound, places).await?;
        let (address, ca_pem) = match known(cluster) {
            Some(known) => known,
            None => {
                let usual = format!("https://eks.{region}.{}", domain(region));
                let base = places.aws_eks.as_deref().unwrap_or(&usual);
                let url = talk.url(&format!("{base}/clusters/{name}"))?;
                let scope = Scope {
                    region,
                    service: "eks",
                    at: SystemTime::now(),
                };
                let signed = keys.sign(scope, "GET", &url, &[], b"");
                let headers: Vec<(&'static str, &[u8])> = signed
                    .iter()
                    .map(|(name, value)| (*name, value.expose()))
                    .collect();
                let Eks { cluster: found } = talk.get(&url, &headers).await?;
                let ca = certificate(&talk, &found.certificate_authority.data)?;
                completed(cluster, found.endpoint, ca)
            }
        };
        let token = eks_token(&keys, region, name, SystemTime::now());
        Ok(Described {
            address,
            ca_pem,
            token: token.ok_or_else(|| talk.refused("no token can be made of the keys"))?,
        })
    }

    async fn gke(
        &self,
        cluster: &Managed,
        outbound: &Outbound,
        places: &Places,
    ) -> Result<Described, CloudError> {
        let talk = Talk::open(outbound, GOOGLE)?;
        let Access { token, .. } = self.google_token(outbound, places).await?;
        if let Some((address, ca_pem)) = known(cluster) {
            return Ok(Described {
                address,
                ca_pem,
                token,
            });
        }
        let shape = ["projects", "", "locations", "", "clusters", ""];
        let name = shaped(&cluster.resource, &shape).ok_or_else(|| {
            unnamed(
                &talk,
                cluster,
                "projects/<project>/locations/<place>/clusters/<name>",
            )
        })?;
        let base = places.google_clusters.as_deref().unwrap_or(GOOGLE_CLUSTERS);
        let bearer = bearer(&token);
        let found: Gke = talk
            .get(
                &talk.url(&format!("{base}/v1/{name}"))?,
                &[("authorization", bearer.as_bytes())],
            )
            .await?;
        let ca = certificate(&talk, &found.master_auth.cluster_ca_certificate)?;
        let (address, ca_pem) = completed(cluster, found.endpoint, ca);
        Ok(Described {
            address,
            ca_pem,
            token,
        })
    }

    async fn aks(
        &self,
        cluster: &Managed,
        outbound: &Outbound,
        places: &Places,
    ) -> Result<Described, CloudError> {
        let talk = Talk::open(outbound, AZURE)?;
        let Access { token, .. } = self.azure_token(AKS_SCOPE, outbound, places).await?;
        if let Some((address, ca_pem)) = known(cluster) {
            return Ok(Described {
                address,
                ca_pem,
                token,
            });
        }
        let shape = [
            "",
            "subscriptions",
            "",
            "resourceGroups",
            "",
            "providers",
            "Microsoft.ContainerService",
            "managedClusters",
            "",
        ];
        let name = shaped(&cluster.resource, &shape).ok_or_else(|| {
            let form = "/subscriptions/<id>/resourceGroups/<group>/providers/Microsoft.ContainerService/managedClusters/<name>";
            unnamed(&talk, cluster, form)
        })?;
        let management = places.azure_management.as_deref().unwrap_or(AZURE_MANAGEMENT);
        let scope = format!("{AZURE_MANAGEMENT}/.default");
        let asking = self.azure_token(&scope, outbound, places).await?;
        let asking = bearer(&asking.token);
        let headers: &[(&'static str, &[u8])] = &[("authorization", asking.as_bytes())];
        let url = talk.url(&format!("{management}{name}?{AKS_VERSION}"))?;
        let found: Value = talk.get(&url, headers).await?;
        if found.pointer("/properties/aadProfile").is_none_or(Value::is_null) {
            return Err(talk.refused("the cluster does not take Entra ID's tokens; turn its integration on"));
        }
        let url = talk.url(&format!(
            "{management}{name}/listClusterUserCredential?{AKS_VERSION}"
        ))?;
        let configs: Aks = talk.json(&url, headers, b"").await?;
        let wanted = cluster.address.as_deref().map(host);
        let found = configs
            .kubeconfigs
            .iter()
            .filter_map(|config| server(&config.value))
            .find(|(address, _)| wanted.as_ref().is_none_or(|wanted| *wanted == host(address)));
        let (address, ca) = found
            .ok_or_else(|| talk.refused("no kubeconfig of the cluster has the address that is asked for"))?;
        let (address, ca_pem) = completed(cluster, address, ca);
        Ok(Described {
            address,
            ca_pem,
            token,
        })
    }
}

fn unnamed(talk: &Talk, cluster: &Managed, form: &str) -> CloudError {
    talk.refused(&format!(
        "the cluster '{}' has no name of the form {form}",
        cluster.resource
    ))
}

/// What need not be asked for.
fn known(cluster: &Managed) -> Option<(String, Vec<u8>)> {
    Some((cluster.address.clone()?, cluster.ca_pem.clone()?))
}

/// What was found, where nothing else was given.
fn completed(cluster: &Managed, address: String, ca_pem: Vec<u8>) -> (String, Vec<u8>) {
    (
        cluster.address.clone().unwrap_or(address),
        cluster.ca_pem.clone().unwrap_or(ca_pem),
    )
}

fn bearer(token: &Secret) -> Zeroizing<String> {
    Zeroizing::new(format!("Bearer {}", token.expose_str().unwrap_or_default()))
}

fn certificate(talk: &Talk, text: &str) -> Result<Vec<u8>, CloudError> {
    STANDARD
        .decode(text)
        .map_err(|_| talk.unavailable("the cluster's certificate authority is not base64"))
}

/// Region and name of an ARN.
fn eks_name(arn: &str) -> Option<(&str, &str)> {
    let parts: Vec<&str> = arn.splitn(6, ':').collect();
    let [start, partition, service, region, account, cluster] = parts[..] else {
        return None;
    };
    let name = cluster.strip_prefix("cluster/")?;
    let digits = !account.is_empty() && account.bytes().all(|b| b.is_ascii_digit());
    let place = !region.is_empty()
        && region
            .bytes()
            .all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-');
    let good = start == "arn" && partition.starts_with("aws") && service == "eks" && digits && place;
    (good && is_word(name)).then_some((region, name))
}

fn is_word(part: &str) -> bool {
    let plain = |b: u8| b.is_ascii_alphanumeric() || b"-_.".contains(&b);
    !part.is_empty() && !part.starts_with('.') && part.bytes().all(plain)
}

/// The name, if it has this shape; an empty part stands for a word, but for the first.
fn shaped<'n>(name: &'n str, shape: &[&str]) -> Option<&'n str> {
    let parts: Vec<&str> = name.split('/').collect();
    let fits = |(at, (part, wanted)): (usize, (&&str, &&str))| match (*wanted, at) {
        ("", 0) => part.is_empty(),
        ("", _) => is_word(part),
        (wanted, _) => part.eq_ignore_ascii_case(wanted),
    };
    (parts.len() == shape.len() && parts.iter().zip(shape).enumerate().all(fits)).then_some(name)
}

/// As `aws eks get-token` makes it: a request to STS that says who asks, signed and not sent.
fn eks_token(keys: &Keys, region: &str, cluster: &str, at: SystemTime) -> Option<Secret> {
    let url = format!(
        "https://sts.{region}.{}/?Action=GetCallerIdentity&Version=2011-06-15",
        domain(region)
    );
    let scope = Scope {
        region,
        service: "sts",
        at,
    };
    let signed = keys.presign(scope, &url.parse().ok()?, &[("x-k8s-aws-id", cluster)], EKS_LIFE);
    let token = format!("{EKS_PREFIX}{}", URL_SAFE_NO_PAD.encode(signed.expose()));
    Some(Secret::from(token))
}

/// Address and authority of a kubeconfig's first cluster.
fn server(encoded: &str) -> Option<(String, Vec<u8>)> {
    let text = STANDARD.decode(encoded).ok().map(Zeroizing::new)?;
    let config = tenure_yaml::parse_one(&text, &tenure_yaml::Options::helm()).ok()?;
    let cluster = config.pointer("/clusters/0/cluster")?;
    let text = |name: &str| cluster.get(name)?.as_str();
    let ca = STANDARD.decode(text("certificate-authority-data")?).ok()?;
    Some((text("server")?.to_owned(), ca))
}

/// Host and port of an address, for comparison.
fn host(address: &str) -> String {
    let bare = address.strip_prefix("https://").unwrap_or(address);
    let bare = bare.split('/').next().unwrap_or(bare).to_ascii_lowercase();
    bare.strip_suffix(":443").unwrap_or(&bare).to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_of_clusters_lead_nowhere_else() {
        assert_eq!(
            eks_name("arn:aws:eks:eu-west-1:123456789012:cluster/prod"),
            Some(("eu-west-1", "prod"))
        );
        for arn in [
            "arn:aws:eks:evil.example/:1:cluster/prod",
            "arn:aws:eks:eu-west-1:1:cluster/../x",
            "arn:aws:s3:eu-west-1:1:cluster/prod",
            "prod",
            "",
        ] {
            assert_eq!(eks_name(arn), None, "{arn}");
        }
        let gke = ["projects", "", "locations", "", "clusters", ""];
        assert!(shaped("projects/p/locations/europe-west1/clusters/c", &gke).is_some());
        for name in [
            "projects/p/locations/../clusters/c",
            "projects/p/locations/l/clusters/c?x",
            "projects//locations/l/clusters/c",
        ] {
            assert_eq!(shaped(name, &gke), None, "{name}");
        }
    }

    #[test]
    fn an_address_is_the_same_with_its_usual_port() {
        assert_eq!(host("https://A.example:443/"), host("a.example"));
        assert_ne!(host("https://a.example:6443"), host("a.example"));
    }
}
