//! Template expressions at random, typed so that most of them come to something.

use rand::Rng as _;
use rand::rngs::StdRng;
use rand::seq::IndexedRandom as _;

/// Values that the expressions look at: the numbers of a chart are of another type than those of a user.
pub(crate) const VALUES: &str = "s: Hello World\nn: null\ni: 7\nf: 2.50\nb: true\nempty: \"\"\nl: [3, b, null, [1], {k: v}]\nwords: [one, Two, three, one]\nm: {a: 1, b: {c: d, e: [x]}, z: \"\"}\nu: \"h\u{e9} \u{1f600}\"\nlong: 12345678901\nv: 1.2.3-rc.1\npath: /a/b.c/d.tar.gz\n";
pub(crate) const USER: &str =
    "user: {i: 42, f: 1.0, big: 1e21, t: \"3\", l: [1, 2.5, true], no: off, d: 2001-12-14}\n";
pub(crate) const SET: &str = "set.i=5,set.s=x\\,y,set.l={1,a},set.n=null,set.f=1.50";

/// What an expression comes to.
#[derive(Clone, Copy)]
enum Kind {
    Any,
    Text,
    Number,
    List,
    Dict,
    Truth,
}

/// Expressions of each kind; a letter stands for an argument: a(ny), s(tring), n(umber), l(ist), d(ict), b(ool),
/// r(egular expression), v(ersion), c(onstraint), k(ey).
const TEXTS: &str = "upper s|lower s|title s|untitle s|trim s|trimAll s s|trimSuffix s s|trimPrefix s s|repeat 2 s|substr 0 n s|trunc n s|abbrev 9 s|abbrevboth 2 9 s|initials s|wrap 7 s|wrapWith 5 s s|quote a|squote a|cat a s a|indent 3 s|nindent 2 s|replace s s s|plural s s n|snakecase s|camelcase s|kebabcase s|swapcase s|nospace s|join s l|toString a|toYaml a|toJson a|toPrettyJson a|toRawJson a|toYamlPretty a|toToml d|b64enc s|b64dec s|b32enc s|sha256sum s|sha1sum s|adler32sum s|regexReplaceAll r s s|regexReplaceAllLiteral r s s|regexFind r s|regexQuoteMeta s|default s s|coalesce a s|ternary s s b|typeOf a|kindOf a|dir s|base s|ext s|clean s|osBase s|urlquery a|html a|js a|print a a|println a n|printf \"%v|%s\" a s|printf \"%d:%5.2f\" n n|printf \"%q %T\" s a|printf \"%-6s|%6v|%x\" s n s|include \"t\" a|tpl \"{{ .Values.s }}-{{ toJson . | len }}\" $|get d k|first words|last words|dig \"a\" s d|(semver v).Minor|trunc -3 s|toStrings l|sortAlpha l|duration n|durationRound n|hasKey d k|substr 1 3 s|index l 0|index d k|slice s 0 1|urlParse s|.Values.m.b.c|.Values.user.t|.Values.set.s|$.Release.Name|.Chart.Name";
const NUMBERS: &str = "add n n|add1 n|sub n n|mul n n 2|div n 3|mod n 5|max n n|min n n|len l|len s|len d|int a|int64 a|float64 a|atoi s|floor a|ceil a|round a 1|toDecimal s|addf n 1.5|subf n n|mulf n 0.5|divf n 4|maxf n n|minf n n|.Values.i|.Values.f|.Values.user.i|.Values.user.f|.Values.set.i|.Values.long|.Values.user.big|int (toString n)|biggest n n|seq 1 3|untilStep 0 3 1|add .Values.set.i n";
const LISTS: &str = "list a s n|list|splitList s s|until 3|untilStep 1 9 3|append l a|prepend l a|concat l l|without l a|uniq l|reverse l|sortAlpha l|initial l|rest l|compact l|slice l 0|slice l 1|chunk 2 l|keys d | sortAlpha|fromYamlArray \"[1, a, {b: 2.0}]\"|fromJsonArray \"[1, 2.5, null]\"|regexFindAll r s -1|regexSplit r s -1|tuple a n|pluck \"a\" d d|toStrings l|values (dict \"a\" a)|mustToJson l | fromJsonArray|.Values.l|.Values.words|.Values.user.l|.Values.set.l|splitList \",\" .Values.set.s|compact (append l \"\")";
const DICTS: &str = "dict \"a\" a \"x\" n|dict|.Values.m|.Values.user|.Values.set|merge (dict) d d|mergeOverwrite (dict) d (dict \"a\" n)|pick d k|omit d k|fromYaml (toYaml d)|fromJson (toJson d)|deepCopy d|set (deepCopy d) k a|unset (deepCopy d) k|fromYaml \"a: [1, 2.0, {b: ~}]\\nc: 0x1F\\nd: 1e3\"|split \",\" s|splitn \",\" 2 s|regexFindAll r s 1 | toJson | dict \"k\"|mustMerge (dict \"a\" n) d|fromToml \"a = 1\\n[b]\\nc = [1.5, true]\"";
const TRUTHS: &str = "eq s s|eq n 7|ne s s|lt n n|le n n|gt n n|ge n n|empty a|hasKey d k|contains s s|hasPrefix s s|hasSuffix s s|has a l|and a a|or a a|not a|kindIs \"map\" a|typeIs \"string\" a|typeIsLike \"int64\" a|semverCompare c v|regexMatch r s|deepEqual a a|any a b|all a b|eq a a|isAbs s|lt s s|eq .Values.i 7 n|gt (len l) 2|.Values.b";

const STRINGS: &[&str] = &[
    ".Values.s",
    ".Values.u",
    ".Values.empty",
    ".Values.path",
    "\"\"",
    "\"a\"",
    "\", \"",
    "\"one two-three_Four\"",
    "\"1.50\"",
    "\"0x1F\"",
    "\"a: {b: [1]}\\n\"",
    "`raw \"text\"`",
    "\"<a href='x'>&\"",
    "\"line\\nnext\\n\"",
    "\"https://u:p@h:1/p?q=1#f\"",
];
const ATOMS: &[&str] = &[
    ".Values.n",
    ".Values.i",
    ".Values.f",
    ".Values.b",
    ".Values.gone",
    "nil",
    "true",
    "0",
    "-3",
    "2.5",
    "1e3",
    "0x10",
    "'x'",
    "1000000",
    "$.Values.m",
    "(dict \"k\" (list 1 2.0 nil))",
    ".Values.user.d",
    ".Values.user.no",
    ".Values.set.n",
    "100000000000000000000.0",
];
const EXPRESSIONS: &[&str] = &[
    "`[a-o]+`",
    "`(.)(.)`",
    "`^$`",
    "`\\d+|o`",
    "`(?i)HELLO`",
    "`[^a-z-_.]+`",
    "`\\bw`",
    "`(`",
    "`\\s*,\\s*`",
];
const VERSIONS: &[&str] = &[
    "\"1.2.3\"",
    ".Values.v",
    "\"v1.30\"",
    "\"0.1.0-alpha+x\"",
    "$.Capabilities.KubeVersion.Version",
];
const CONSTRAINTS: &[&str] = &[
    "\">=1.19-0\"",
    "\"^1.2\"",
    "\"~1.2.3-0 || >2\"",
    "\"1.x\"",
    "\"!=1.2.3\"",
    "\"<1.21.0-0, >0.1\"",
    "\"1.2 - 1.4\"",
    "\"x\"",
];
const WORDS: &[&str] = &["\"a\"", "\"b\"", "\"gone\"", "\"k\""];

fn one<'a>(rng: &mut StdRng, of: &[&'a str]) -> &'a str {
    of.choose(rng).copied().unwrap_or_default()
}

fn argument(rng: &mut StdRng, kind: Kind, depth: u32) -> String {
    if depth > 2 || rng.random_bool(0.4) {
        return match kind {
            Kind::Any if rng.random() => one(rng, ATOMS).to_owned(),
            Kind::Any => one(rng, STRINGS).to_owned(),
            Kind::Text => one(rng, STRINGS).to_owned(),
            Kind::Number => one(
                rng,
                &[
                    "0",
                    "1",
                    "3",
                    "-2",
                    ".Values.i",
                    ".Values.user.i",
                    ".Values.set.i",
                    "2.5",
                ],
            )
            .to_owned(),
            Kind::List => one(
                rng,
                &[".Values.l", ".Values.words", "(list 1 \"a\")", ".Values.user.l"],
            )
            .to_owned(),
            Kind::Dict => one(rng, &[".Values.m", "(dict \"a\" 1)", ".Values.user"]).to_owned(),
            Kind::Truth => one(rng, &["true", "false", ".Values.b"]).to_owned(),
        };
    }
    format!("({})", expression(rng, kind, depth + 1))
}

fn expression(rng: &mut StdRng, kind: Kind, depth: u32) -> String {
    let kind = match kind {
        Kind::Any => *[Kind::Text, Kind::Number, Kind::List, Kind::Dict, Kind::Truth]
            .choose(rng)
            .unwrap_or(&Kind::Text),
        kind => kind,
    };
    let table = match kind {
        Kind::Any | Kind::Text => TEXTS,
        Kind::Number => NUMBERS,
        Kind::List => LISTS,
        Kind::Dict => DICTS,
        Kind::Truth => TRUTHS,
    };
    let all: Vec<&str> = split(table);
    let words = one(rng, &all).split(' ').map(|word| match word {
        "a" => argument(rng, Kind::Any, depth),
        "s" => argument(rng, Kind::Text, depth),
        "n" => argument(rng, Kind::Number, depth),
        "l" => argument(rng, Kind::List, depth),
        "d" => argument(rng, Kind::Dict, depth),
        "b" => argument(rng, Kind::Truth, depth),
        "r" => one(rng, EXPRESSIONS).to_owned(),
        "v" => one(rng, VERSIONS).to_owned(),
        "c" => one(rng, CONSTRAINTS).to_owned(),
        "k" => one(rng, WORDS).to_owned(),
        other => other.to_owned(),
    });
    let words: Vec<String> = words.collect();
    words.join(" ")
}

/// Cuts at bars outside of quotes that have no space beside them: a pipe has.
fn split(table: &str) -> Vec<&str> {
    let (mut parts, mut start, mut quoted) = (Vec::new(), 0, false);
    let bytes = table.as_bytes();
    for (at, byte) in bytes.iter().enumerate() {
        match byte {
            b'"' => quoted = !quoted,
            b'|' if !quoted && bytes.get(at + 1) != Some(&b' ') => {
                parts.extend(table.get(start..at));
                start = at + 1;
            }
            _ => {}
        }
    }
    parts.extend(table.get(start..));
    parts
}

/// A few actions around expressions.
pub(crate) fn template(rng: &mut StdRng) -> String {
    let text = |rng: &mut StdRng, kind| expression(rng, kind, 0);
    match rng.random_range(0..10) {
        0 => {
            let (truth, a, b) = (text(rng, Kind::Truth), text(rng, Kind::Any), text(rng, Kind::Any));
            format!("{{{{ if {truth} }}}}{{{{ {a} }}}}{{{{- else }}}} {{{{ {b} }}}}{{{{ end }}}}")
        }
        1 => {
            let list = text(rng, Kind::List);
            format!(
                "{{{{ range $i, $v := {list} }}}}{{{{ $i }}}}={{{{ $v }}}}; {{{{- else }}}}none{{{{ end }}}}"
            )
        }
        2 => {
            let dict = text(rng, Kind::Dict);
            format!(
                "{{{{- range $k, $v := {dict} }}}}{{{{ if eq $k \"b\" }}}}{{{{ continue }}}}{{{{ end }}}}{{{{ $k }}}}:{{{{ $v | toJson }}}}\n{{{{ end -}}}}"
            )
        }
        3 => {
            let any = text(rng, Kind::Any);
            format!("{{{{ with $x := {any} }}}}{{{{ typeOf . }} }}}}{{{{ $x | toYaml | nindent 2 }}}}{{{{ else }}}}-{{{{ end }}}}").replace("}} }}", "}} ")
        }
        4 => {
            let (any, text) = (text(rng, Kind::Any), text(rng, Kind::Text));
            format!("{{{{ $x := {any} }}}}{{{{ $x }}}} {{{{ $x = {text} }}}}{{{{ $x | quote }}}}")
        }
        _ => format!("{{{{ {} }}}}", text(rng, Kind::Any)),
    }
}
