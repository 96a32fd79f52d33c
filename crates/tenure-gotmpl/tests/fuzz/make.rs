//! Templates at random.

use rand::Rng as _;
use rand::rngs::StdRng;
use tenure_gotmpl::function_names;

const GOOD: &[&str] = &[
    "{{ define \"x\" }}a{{ .s }}{{ end }}{{ include \"x\" . | upper | quote }}{{ template \"x\" . }}",
    "{{- range $k, $v := .m -}} {{ $k }}={{ $v | toJson }}{{ if eq $k \"a\" }}{{ continue }}{{ end }}{{ else }}n{{ end -}}",
    "{{ with $x := .l }}{{ index $x 0 }}{{ else with .n }}{{ . }}{{ else }}{{ .f }}{{ end }}",
    "{{/* note */}}{{ printf \"%-8.3f|%+d|%#v|%q\" .f 3 .l .u }}{{ .m.b.c }}{{ ($).s }}",
    "{{ $d := dict \"a\" (list 1 2.5 nil) }}{{ $_ := set $d \"self\" $d }}{{ len $d }}{{ tpl .t . }}",
    "{{ fromYaml \"a: [1, {b: c}]\\nd: |\\n  x\" | toYaml | indent 2 }}{{ regexReplaceAll \"(a|b)+\" .s \"$1\" }}",
    "{{ semverCompare \">=1.2 <3 || ~4\" \"1.9.0-rc.1\" }}{{ date \"Mon Jan 2 15:04:05 MST 2006\" 1700000000 }}",
    "{{ block \"b\" .l }}{{ range . }}{{ . }}{{ end }}{{ end }}{{ 'x' }}{{ 0x1F }}{{ 1e3 }}{{ 2i }}{{ `raw` }}",
];

const PIECES: &[&str] = &[
    "{{", "}}", "{{-", "-}}", "(", ")", "|", ":=", "=", "$", ".", "\"", "`", "'", "/*", "*/", "end", "if",
    "else", "range", "with", "define", "template", "nil", "break", "\n", "\\", ",", "%", "\u{e9}",
];

const ATOMS: &[&str] = &[
    ".",
    ".s",
    ".n",
    ".i",
    ".f",
    ".l",
    ".e",
    ".m",
    ".m.b",
    ".u",
    ".t",
    ".gone",
    "nil",
    "true",
    "0",
    "-1",
    "3",
    "2.5",
    "1e300",
    "9223372036854775807",
    "-9223372036854775808",
    "\"\"",
    "\"a\"",
    "\"%*d%[2]v\"",
    "\"\\xff\"",
    "\"1h\"",
    "\"2006-01-02\"",
    "\"(a|b)*$\"",
    "\"1.2.3-x+y\"",
    "\">=1\"",
    "\"a: &x [*x]\"",
    "\"{\\\"a\\\":1e999}\"",
    "\"a = [1, {b=2}]\"",
    "\"https://u@h:1/p?q#f\"",
    "(list)",
    "(dict)",
    "(dict \"a\" .)",
    "(list 1 . nil)",
    "(until 5)",
    "(now)",
    "(semver \"1.2\")",
    "(split \",\" \"a,b\")",
    "1i",
];

/// What takes long by design.
pub(crate) fn is_slow(text: &str) -> bool {
    [
        "bcrypt",
        "htpasswd",
        "derivePassword",
        "gen",
        "now",
        "ago",
        "date",
        "htmlDate",
    ]
    .iter()
    .any(|name| text.contains(name))
}

fn one<'a>(random: &mut StdRng, of: &[&'a str]) -> &'a str {
    of.get(random.random_range(0..of.len()))
        .copied()
        .unwrap_or_default()
}

/// A good template with some bytes changed.
pub(crate) fn changed(random: &mut StdRng) -> Vec<u8> {
    let mut text = one(random, GOOD).as_bytes().to_vec();
    if random.random_bool(0.3) {
        text.extend_from_slice(one(random, GOOD).as_bytes());
    }
    for _ in 0..random.random_range(1..6) {
        let at = random.random_range(0..=text.len());
        match random.random_range(0..4) {
            0 => {
                text.splice(at..at, one(random, PIECES).bytes());
            }
            1 if at < text.len() => {
                text.remove(at);
            }
            2 if at < text.len() => {
                if let Some(byte) = text.get_mut(at) {
                    *byte = random.random();
                }
            }
            _ => {
                let end = random.random_range(at..=text.len());
                let part = text.get(at..end).unwrap_or_default().to_vec();
                text.splice(at..at, part);
            }
        }
    }
    text
}

fn call(random: &mut StdRng, names: &[&str], depth: u32) -> String {
    let mut name = one(random, names);
    while name.starts_with("gen") {
        name = one(random, names);
    }
    let mut text = name.to_owned();
    for _ in 0..random.random_range(0..5) {
        if depth < 2 && random.random_bool(0.3) {
            text += &format!(" ({})", call(random, names, depth + 1));
        } else {
            text += &format!(" {}", one(random, ATOMS));
        }
    }
    text
}

/// Calls of any function with any arguments.
pub(crate) fn calls(random: &mut StdRng) -> Vec<u8> {
    let names = function_names();
    let mut text = String::new();
    for _ in 0..random.random_range(1..4) {
        let inner = call(random, &names, 0);
        text += &match random.random_range(0..4) {
            0 => format!("{{{{ range $k, $v := {inner} }}}}{{{{ $k }}}}{{{{ $v }}}}{{{{ end }}}}"),
            1 => format!("{{{{ with {inner} }}}}{{{{ toYaml . }}}}{{{{ end }}}}"),
            2 => format!("{{{{ {inner} | {} }}}}", call(random, &names, 1)),
            _ => format!("{{{{ {inner} }}}}"),
        };
    }
    text.into_bytes()
}
