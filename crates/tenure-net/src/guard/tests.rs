use super::{Cidr, Guard};

fn allowed(guard: &Guard, address: &str) -> bool {
    guard.check("host", address.parse().expect("an address")).is_ok()
}

fn cidrs(texts: &[&str]) -> Vec<Cidr> {
    texts.iter().map(|t| t.parse().expect("a block")).collect()
}

#[test]
fn this_machine_metadata_services_and_link_local_addresses_are_refused_however_they_are_written() {
    let guard = Guard::default();
    for bad in [
        "127.0.0.1",
        "127.8.8.8",
        "::1",
        "0.0.0.0",
        "::",
        "169.254.169.254",
        "169.254.1.1",
        "168.63.129.16",
        "100.100.100.200",
        "fd00:ec2::254",
        "fe80::1",
        "224.0.0.1",
        "255.255.255.255",
        "ff02::1",
        "::ffff:169.254.169.254",
        "::169.254.169.254",
        "64:ff9b::a9fe:a9fe",
        "2002:a9fe:a9fe::1",
        "::ffff:127.0.0.1",
    ] {
        assert!(!allowed(&guard, bad), "{bad}");
    }
    for good in ["203.0.113.7", "10.1.2.3", "192.168.1.1", "2001:db8::1", "fd12::1", "169.253.0.1"] {
        assert!(allowed(&guard, good), "{good}");
    }
}

#[test]
fn the_cluster_is_refused_but_for_what_the_platform_allows() {
    let guard = Guard::new(cidrs(&["10.96.7.7", "127.0.0.0/8"]), cidrs(&["10.96.0.0/12", "fd00:1::/64"]));
    assert!(!allowed(&guard, "10.96.0.1") && !allowed(&guard, "10.111.255.255"));
    assert!(!allowed(&guard, "::ffff:10.96.0.1") && !allowed(&guard, "fd00:1::5"));
    assert!(allowed(&guard, "10.96.7.7") && allowed(&guard, "10.112.0.0") && allowed(&guard, "127.0.0.1"));
    assert!(allowed(&guard, "fd00:1:0:1::5"));
}

#[test]
fn a_refusal_names_host_address_and_kind() {
    let error = Guard::default()
        .check("evil.example", "169.254.169.254".parse().expect("an address"))
        .expect_err("refused");
    let text = error.to_string();
    assert!(
        ["evil.example", "169.254.169.254", "metadata"].iter().all(|w| text.contains(w)),
        "{text}"
    );
}

#[test]
fn a_block_of_addresses_reads_what_it_writes() {
    for text in ["10.0.0.0/8", "0.0.0.0/0", "::/0", "fd00::/8", "1.2.3.4/32"] {
        assert_eq!(text.parse::<Cidr>().expect("a block").to_string(), text);
    }
    assert!("0.0.0.0/0".parse::<Cidr>().expect("a block").contains("1.2.3.4".parse().expect("an address")));
    for bad in ["", "10.0.0.0/33", "::/129", "10.0.0/8", "x/8", "1.2.3.4/-1"] {
        assert!(bad.parse::<Cidr>().is_err(), "{bad}");
    }
}
