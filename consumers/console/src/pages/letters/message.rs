//! A letter as it was written: headers, text and HTML (RFC 5322, MIME), as far as our own letters go.

/// What of a letter is read.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Letter {
    /// Its Message-ID.
    pub(crate) id: String,
    pub(crate) from: String,
    pub(crate) to: String,
    pub(crate) subject: String,
    /// As `2026-03-01T00:00:00Z`, if it is written as our letters write it.
    pub(crate) date: String,
    pub(crate) text: String,
    pub(crate) html: Option<String>,
}

/// Parts within parts, at most.
const DEPTH_MAX: usize = 8;

impl Letter {
    pub(crate) fn read(bytes: &[u8]) -> Letter {
        let whole = String::from_utf8_lossy(bytes).replace("\r\n", "\n");
        let (headers, body) = split(&whole);
        let named = |name: &str| header(&headers, name).map(words).unwrap_or_default();
        let (id, date) = (named("message-id"), named("date"));
        let mut letter = Letter {
            id: id.trim_matches(['<', '>']).to_owned(),
            from: named("from"),
            to: named("to"),
            subject: named("subject"),
            date: instant(&date).unwrap_or(date),
            ..Letter::default()
        };
        letter.part(&headers, body, DEPTH_MAX);
        letter
    }

    fn part(&mut self, headers: &[(String, String)], body: &str, depth: usize) {
        let kind = header(headers, "content-type").unwrap_or("text/plain");
        if let Some(boundary) = boundary(kind) {
            let Some(depth) = depth.checked_sub(1) else { return };
            for part in parts(body, boundary) {
                let (headers, body) = split(part);
                self.part(&headers, body, depth);
            }
            return;
        }
        let attached = header(headers, "content-disposition");
        if attached.is_some_and(|how| how.starts_with("attachment")) {
            return;
        }
        let kind = kind.to_ascii_lowercase();
        let is_html = kind.starts_with("text/html");
        if !is_html && !kind.starts_with("text/plain") {
            return;
        }
        let encoding = header(headers, "content-transfer-encoding").unwrap_or("7bit");
        let text = decoded(body, &encoding.to_ascii_lowercase());
        if is_html {
            self.html.get_or_insert(text);
        } else if self.text.is_empty() {
            self.text = text;
        }
    }
}

const MONTHS: [&str; 12] =
    ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];

/// `Sun, 01 Mar 2026 00:00:00 +0000` as `2026-03-01T00:00:00Z`; our letters are written in UTC.
fn instant(date: &str) -> Option<String> {
    let fields: Vec<&str> = date.split_whitespace().collect();
    let [_, day, month, year, time, "+0000"] = fields.as_slice() else { return None };
    let month = MONTHS.iter().position(|known| known == month)?.saturating_add(1);
    Some(format!("{year}-{month:02}-{day:0>2}T{time}Z"))
}

fn split(text: &str) -> (Vec<(String, String)>, &str) {
    let text = text.strip_prefix('\n').unwrap_or(text);
    let (head, body) = text.split_once("\n\n").unwrap_or((text, ""));
    let mut headers: Vec<(String, String)> = Vec::new();
    for line in head.lines() {
        match (line.starts_with([' ', '\t']), headers.last_mut()) {
            (true, Some((_, value))) => {
                value.push(' ');
                value.push_str(line.trim());
            }
            _ => {
                if let Some((name, value)) = line.split_once(':') {
                    headers.push((name.to_ascii_lowercase(), value.trim().to_owned()));
                }
            }
        }
    }
    (headers, body)
}

fn header<'a>(headers: &'a [(String, String)], name: &str) -> Option<&'a str> {
    headers.iter().find(|(known, _)| known == name).map(|(_, value)| value.as_str())
}

fn boundary(kind: &str) -> Option<&str> {
    let multipart = kind.get(..10).is_some_and(|start| start.eq_ignore_ascii_case("multipart/"));
    let (_, boundary) = kind.split_once("boundary=").filter(|_| multipart)?;
    match boundary.strip_prefix('"') {
        Some(quoted) => quoted.split('"').next(),
        None => boundary.split([';', ' ']).next(),
    }
}

fn parts<'a>(body: &'a str, boundary: &str) -> impl Iterator<Item = &'a str> {
    let mark = format!("--{boundary}");
    let end = format!("{mark}--");
    let body = body.split(&end).next().unwrap_or_default();
    let parts: Vec<&str> = body.split(&mark).skip(1).collect();
    parts.into_iter()
}

fn decoded(body: &str, encoding: &str) -> String {
    match encoding.trim() {
        "base64" => String::from_utf8_lossy(&base64(body)).into_owned(),
        "quoted-printable" => {
            let joined = body.replace("=\n", "");
            String::from_utf8_lossy(&quoted(joined.as_bytes(), b'=')).into_owned()
        }
        _ => body.to_owned(),
    }
}

/// Words of a header that are not plain ASCII (RFC 2047), each `=?charset?how?text?=`.
fn words(value: &str) -> String {
    let mut shown = String::new();
    let mut rest = value;
    let mut between_words = false;
    while let Some((before, word)) = rest.split_once("=?") {
        if !(between_words && before.trim().is_empty()) {
            shown.push_str(before);
        }
        let mut fields = word.splitn(3, '?');
        let (how, text) = (fields.nth(1), fields.next().and_then(|text| text.split_once("?=")));
        let (Some(how), Some((text, after))) = (how, text) else {
            shown.push_str("=?");
            rest = word;
            continue;
        };
        let bytes = match how {
            "b" | "B" => base64(text),
            _ => quoted(text.replace('_', " ").as_bytes(), b'='),
        };
        shown.push_str(&String::from_utf8_lossy(&bytes));
        between_words = true;
        rest = after;
    }
    shown.push_str(rest);
    shown
}

fn quoted(bytes: &[u8], mark: u8) -> Vec<u8> {
    let mut decoded = Vec::with_capacity(bytes.len());
    let mut rest = bytes;
    while let Some((first, after)) = rest.split_first() {
        rest = after;
        let digits = after.get(..2).and_then(|digits| std::str::from_utf8(digits).ok());
        match digits.and_then(|digits| u8::from_str_radix(digits, 16).ok()) {
            Some(byte) if *first == mark => {
                decoded.push(byte);
                rest = after.get(2..).unwrap_or_default();
            }
            _ => decoded.push(*first),
        }
    }
    decoded
}

fn base64(text: &str) -> Vec<u8> {
    let mut decoded = Vec::with_capacity(text.len());
    let (mut held, mut bits) = (0_u32, 0_u32);
    for byte in text.bytes() {
        let value = match byte {
            b'A'..=b'Z' => byte - b'A',
            b'a'..=b'z' => byte - b'a' + 26,
            b'0'..=b'9' => byte - b'0' + 52,
            b'+' => 62,
            b'/' => 63,
            _ => continue,
        };
        held = (held << 6 | u32::from(value)) & 0xFF_FFFF;
        bits += 6;
        if bits >= 8 {
            bits -= 8;
            decoded.push((held >> bits & 0xFF) as u8);
        }
    }
    decoded
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_letter_of_text_and_html_is_read() {
        let letter = "From: drawdown <billing@drawdown.example>\r\nTo: a@b.example\r\n\
            Message-ID: <n1@b.example>\r\nSubject: =?utf-8?b?R3Vow6FiZW4=?= =?utf-8?Q?_f=C3=A4llt?=\r\nDate: Sun, 01 Mar 2026 00:00:00 +0000\r\n\
            Content-Type: multipart/alternative;\r\n boundary=\"xyz\"\r\n\r\n--xyz\r\n\
            Content-Type: text/plain; charset=utf-8\r\nContent-Transfer-Encoding: quoted-printable\r\n\r\n\
            Low: 5 =E2=82=AC, and a long =\r\nline\r\n--xyz\r\nContent-Type: text/html; charset=utf-8\r\n\
            Content-Transfer-Encoding: base64\r\n\r\nPGI+TG93\r\nPC9iPg==\r\n--xyz--\r\n";
        let read = Letter::read(letter.as_bytes());
        assert_eq!(read.subject, "Guháben fällt");
        assert_eq!(read.to, "a@b.example");
        assert_eq!(
            (read.id.as_str(), read.date.as_str()),
            ("n1@b.example", "2026-03-01T00:00:00Z")
        );
        assert_eq!(read.text.trim(), "Low: 5 €, and a long line");
        assert_eq!(read.html.as_deref(), Some("<b>Low</b>"));
    }

    #[test]
    fn what_is_no_letter_does_no_harm() {
        for odd in [
            "",
            "\n\n",
            "Subject: =?x",
            "Content-Type: multipart/x; boundary=a\n\n--a",
            "=",
            "a: =",
        ] {
            Letter::read(odd.as_bytes());
        }
    }
}
