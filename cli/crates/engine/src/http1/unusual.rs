//! Brings heads that are valid, but rare, into the form that the parser takes.

use super::malformed::HEAD_LIMIT;

/// The head at the start of `bytes`, at the same length: folded lines are joined (RFC 9112, section 5.2), and
/// a later minor version is read as 1.1 (RFC 9110, section 2.5). It ends with the head or at [`HEAD_LIMIT`].
pub(super) fn normalized(bytes: &[u8]) -> Vec<u8> {
    let mut head = bytes[..bytes.len().min(HEAD_LIMIT + 1)].to_vec();
    if let [b'H', b'T', b'T', b'P', b'/', b'1', b'.', minor @ b'2'..=b'9', b' ', ..] = head.as_mut_slice() {
        *minor = b'1';
    }
    unfold(&mut head);
    head
}

/// Replaces the line ends before lines that start with white space, except before the first field: there is
/// nothing that such a line could continue.
fn unfold(head: &mut Vec<u8>) {
    let mut line = 0; // where the line starts
    let mut number = 0;
    while let Some(length) = memchr::memchr(b'\n', &head[line..]) {
        let end = line + length;
        let is_empty = matches!(&head[line..end], b"" | b"\r");
        if is_empty {
            return head.truncate(end + 1);
        }
        if number > 0 && matches!(head.get(end + 1), Some(b' ' | b'\t')) {
            head[end] = b' ';
            if head[end - 1] == b'\r' {
                head[end - 1] = b' ';
            }
        }
        line = end + 1;
        number += 1;
    }
}
