use super::Range;

/// What Masterminds' semver 3.5.0 answers for each of these, in `TABLE`.
const VERSIONS: &str = "0.0.0 0.0.3 0.1.0 0.2.3 0.3.0 1.0.0-rc.1 1.0.0 1.2.0 1.2.3-beta.2 1.2.3 1.2.4 1.3.0 \
    1.9.9 2.0.0-alpha 2.0.0 2.1.0 11.1.0";

const TABLE: &[(&str, &str)] = &[
    ("*", "yyyyy.yy.yyyy.yyy"),
    ("x", "yyyyy.yy.yyyy.yyy"),
    ("1", "......yy.yyyy...."),
    ("1.x", "......yy.yyyy...."),
    ("1.2", ".......y.yy......"),
    ("1.2.x", ".......y.yy......"),
    ("1.2.3", ".........y......."),
    ("=1.2.3", ".........y......."),
    ("=v1.2.3", ".........y......."),
    ("!=1.2.3", "yyyyy.yy..yyy.yyy"),
    ("!=1.2", "yyyyy.y....yy.yyy"),
    ("!=1", "yyyyy.........yyy"),
    ("!=1.x", "yyyyy.........yyy"),
    (">1.2.3", "..........yyy.yyy"),
    (">1", "..............yyy"),
    (">1.2", "...........yy.yyy"),
    (">=1", "......yy.yyyy.yyy"),
    ("=>1.2", ".......y.yyyy.yyy"),
    ("<1.2.3", "yyyyy.yy........."),
    ("<=1.2", "yyyyy.yy.yy......"),
    ("<=1", "yyyyy.yy.yyyy...."),
    ("=<1.2.3", "yyyyy.yy.y......."),
    ("~1.2.3", ".........yy......"),
    ("~1.2", ".......y.yy......"),
    ("~1", "......yy.yyyy...."),
    ("~>1.2", ".......y.yy......"),
    ("~0.0.0", "yyyyy.yy.yyyy.yyy"),
    ("^1.2.3", ".........yyyy...."),
    ("^1.2", ".......y.yyyy...."),
    ("^1", "......yy.yyyy...."),
    ("^0.2.3", "...y............."),
    ("^0.2", "...y............."),
    ("^0.0.3", ".y..............."),
    ("^0.0", "yy..............."),
    ("^0", "yyyyy............"),
    ("^*", "y................"),
    (">=1.0.0, <2.0.0", "......yy.yyyy...."),
    (">= 1.0.0 < 2.0.0", "......yy.yyyy...."),
    ("1.0 - 2.0", "......yy.yyyy.y.."),
    ("1.0.0 - 1.2 || >=2.1", "......yy.yy....yy"),
    ("<1.0.0 || ^2", "yyyyy.........yy."),
    ("^1.2.3-0", "........yyyyy...."),
    (">=1.0.0-0", ".....yyyyyyyyyyyy"),
    ("~1.2.3-beta.1", "........yyy......"),
    ("1.2.x-0", ".......yyyy......"),
    ("!=1.2.3-beta.2, >=1.0.0-0", ".....yyy.yyyyyyyy"),
    (">1.0.0-rc.0 <2.0.0", ".....yyyyyyyyy..."),
    ("  ^1.2  ", ".......y.yyyy...."),
    ("01.2", ".......y.yy......"),
    ("^1.2.3+build", ".........yyyy...."),
    (">=1.0,<=1.2.3,!=1.2.0", "......y..y......."),
];

#[test]
fn a_version_is_in_a_range_when_it_is_in_flux() {
    for (text, wanted) in TABLE {
        let range: Range = text.parse().unwrap_or_else(|e| panic!("{e}"));
        let found: String = VERSIONS
            .split_whitespace()
            .map(|v| range.matches(&v.parse().expect("a version")))
            .map(|inside| if inside { 'y' } else { '.' })
            .collect();
        assert_eq!(found, *wanted, "{text:?} of {VERSIONS}");
    }
}

#[test]
fn what_flux_refuses_is_no_range() {
    for bad in [
        "", ">=", "latest", "1.2.3.4", ">1.0<2.0", "1 ||", "1x", "1.0.0-01", "1.2 -2.0", "!1.2", "1.0.0 - 2.0.0 - 3.0.0", "1.2,", ">= ,1", "1..2", "1.2.3-", "1.2.3+",
    ] {
        assert!(bad.parse::<Range>().is_err(), "{bad:?}");
    }
    assert!("1 || ".repeat(40).parse::<Range>().is_err());
}
