use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

/// What a text holds between its marks.
pub(super) struct Block {
    pub(super) kind: String,
    pub(super) data: Vec<u8>,
}

/// The first block of a text.
pub(super) fn read(text: &str) -> Option<Block> {
    let mut rest = text;
    loop {
        let (_, after) = rest.split_once("-----BEGIN ")?;
        rest = after;
        let Some(block) = block(after) else { continue };
        return Some(block);
    }
}

fn block(text: &str) -> Option<Block> {
    let (kind, body) = text.split_once("-----")?;
    let (body, _) = body.split_once(&format!("-----END {kind}-----"))?;
    // Headers end with an empty line.
    let body = match body.split_once("\n\n") {
        Some((headers, body)) if headers.contains(": ") => body,
        _ => body,
    };
    let joined: String = body.split_ascii_whitespace().collect();
    Some(Block {
        kind: kind.to_owned(),
        data: STANDARD.decode(joined).ok()?,
    })
}

pub(super) fn write(kind: &str, data: &[u8]) -> String {
    let encoded = STANDARD.encode(data);
    let mut out = format!("-----BEGIN {kind}-----\n");
    for line in encoded.as_bytes().chunks(64) {
        out.push_str(&String::from_utf8_lossy(line));
        out.push('\n');
    }
    out.push_str(&format!("-----END {kind}-----\n"));
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_block_reads_as_it_was_written() {
        let data: Vec<u8> = (0..100).collect();
        let block = read(&format!("junk\n{}", write("X Y", &data))).expect("a block");
        assert_eq!((block.kind.as_str(), block.data), ("X Y", data));
        assert!(read("-----BEGIN A-----\nAA==\n").is_none());
    }
}
