//! From a `send_email` input to the bytes of a message.
//!
//! Everything that comes from the caller is checked here before it becomes a header: no CR, LF or NUL gets into one.

use std::time::SystemTime;

use base64::{Engine, engine::general_purpose::STANDARD};
use lettre::{
    Address, Message,
    message::{
        Attachment as Part, Body, Mailbox, MessageBuilder, MultiPart, SinglePart,
        header::{ContentTransferEncoding, ContentType, HeaderName, HeaderValue},
    },
};
use tieline::{Code, Error, Result};

use super::{
    Attachment, SendEmail,
    limits::{
        ENCODED_WORD_BYTES, MAX_ATTACHMENT_BYTES, MAX_ATTACHMENTS, MAX_HEADER_BYTES, MAX_HEADERS, MAX_RECIPIENTS,
        MAX_TEXT_BYTES,
    },
    mailbox,
};

/// Headers that we write ourselves or that only a mail server may write; in lower case.
const RESERVED: [&str; 16] = [
    "bcc",
    "cc",
    "date",
    "dkim-signature",
    "from",
    "message-id",
    "mime-version",
    "received",
    "reply-to",
    "return-path",
    "sender",
    "subject",
    "to",
    "delivered-to",
    "authentication-results",
    "apparently-to",
];

/// Beginnings of further such headers.
const RESERVED_PREFIXES: [&str; 3] = ["content-", "resent-", "arc-"];

/// A message ready to hand to a server.
pub(super) struct Letter {
    /// The envelope's sender.
    pub(super) from: Address,
    /// The envelope's recipients: to, cc and bcc, each once.
    pub(super) recipients: Vec<Address>,
    /// Our Message-ID, in angle brackets.
    pub(super) message_id: String,
    /// The message, with CRLF line ends, dots not yet stuffed.
    pub(super) bytes: Vec<u8>,
}

impl Letter {
    /// Builds the message. `id` is unique; `default_from` is the connection's sender.
    pub(super) fn new(mail: &SendEmail, default_from: &str, id: &str, now: SystemTime) -> Result<Self> {
        let from = match &mail.from {
            Some(from) => mailbox::parse(from, "/from")?,
            None => mailbox::parse(default_from, "/from").map_err(|_| {
                let detail = "The connection's `from` is not a mailbox such as `Team <team@example.com>`: mend it and connect again.";
                Error::new(Code::ConnectorConfigInvalid, detail).field("/from", "is not a mailbox")
            })?,
        };
        let message_id = format!("<{id}@{}>", from.email.domain());
        let mut builder = Message::builder()
            .from(from.clone())
            .date(now)
            .message_id(Some(message_id.clone()));
        let mut recipients = Vec::new();
        let to = mail.to.parse("/to")?;
        if to.is_empty() {
            return Err(wrong("/to", "names nobody"));
        }
        for mailbox in to {
            recipients.push(mailbox.email.clone());
            builder = builder.to(mailbox);
        }
        for mailbox in mail.cc.parse("/cc")? {
            recipients.push(mailbox.email.clone());
            builder = builder.cc(mailbox);
        }
        // Blind copies are in the envelope and nowhere else.
        recipients.extend(mail.bcc.parse("/bcc")?.into_iter().map(|mailbox| mailbox.email));
        each_once(&mut recipients)?;
        if let Some(reply_to) = &mail.reply_to {
            builder = builder.reply_to(mailbox::parse(reply_to, "/reply_to")?);
        }
        builder = builder.subject(as_said(header_text(&mail.subject, "/subject")?));
        builder = own_headers(builder, mail)?;
        let envelope = envelope(&from, &recipients)?;
        let message = with_content(builder.envelope(envelope), mail)?;
        Ok(Self {
            from: from.email,
            recipients,
            message_id,
            bytes: message.formatted(),
        })
    }

    /// Whether the envelope needs SMTPUTF8 (RFC 6531): a mailbox name outside ASCII.
    pub(super) fn needs_utf8(&self) -> bool {
        let ascii = |address: &Address| AsRef::<str>::as_ref(address).is_ascii();
        !ascii(&self.from) || !self.recipients.iter().all(ascii) || !self.bytes.is_ascii()
    }
}

fn each_once(recipients: &mut Vec<Address>) -> Result<()> {
    let mut seen = std::collections::HashSet::new();
    recipients.retain(|address| seen.insert(address.clone()));
    if recipients.len() > MAX_RECIPIENTS {
        return Err(wrong(
            "/to",
            &format!("makes more than {MAX_RECIPIENTS} recipients with cc and bcc; send several mails"),
        ));
    }
    Ok(())
}

/// lettre wants to know the envelope; without this it would make its own from the headers.
fn envelope(from: &Mailbox, recipients: &[Address]) -> Result<lettre::address::Envelope> {
    lettre::address::Envelope::new(Some(from.email.clone()), recipients.to_vec())
        .map_err(|error| Error::internal("an envelope without recipients", error))
}

fn own_headers(mut builder: MessageBuilder, mail: &SendEmail) -> Result<MessageBuilder> {
    if mail.headers.len() > MAX_HEADERS {
        return Err(wrong("/headers", &format!("has more than {MAX_HEADERS} headers")));
    }
    for (name, value) in &mail.headers {
        let pointer = format!("/headers/{}", name.replace('~', "~0").replace('/', "~1"));
        // RFC 5322, 2.2: printable ASCII but the colon.
        if !name.bytes().all(|byte| byte.is_ascii_graphic() && byte != b':') {
            return Err(wrong(
                "/headers",
                "has a header name with a character that no header name can have",
            ));
        }
        let lower = name.to_ascii_lowercase();
        if RESERVED.contains(&lower.as_str()) || RESERVED_PREFIXES.iter().any(|prefix| lower.starts_with(prefix)) {
            return Err(wrong(
                &pointer,
                "is a header we write ourselves; use the input of that purpose",
            ));
        }
        let name = HeaderName::new_from_ascii(name.clone())
            .map_err(|_| wrong("/headers", "has a header name that is empty or too long"))?;
        builder = builder.raw_header(HeaderValue::new(name, as_said(header_text(value, &pointer)?)));
    }
    Ok(builder)
}

/// F3: a line break in a header's value would begin a header of the caller's making.
fn header_text(text: &str, pointer: &str) -> Result<String> {
    if text.chars().any(|letter| letter.is_control() && letter != '\t') {
        return Err(wrong(pointer, "holds a line break or another control character"));
    }
    if text.len() > MAX_HEADER_BYTES {
        return Err(wrong(pointer, &format!("is longer than {MAX_HEADER_BYTES} bytes")));
    }
    Ok(text.to_owned())
}

/// Text that looks like an encoded word (RFC 2047) is encoded itself: a reader would decode it to something that was not
/// checked, or not meant.
fn as_said(text: String) -> String {
    let looks_encoded = text.contains("=?") && (text.contains("?=") || !text.is_ascii());
    if looks_encoded { encoded_words(&text) } else { text }
}

/// RFC 2047, section 2: words of at most 75 characters. The blanks between them are not read.
fn encoded_words(text: &str) -> String {
    let (mut words, mut rest) = (Vec::new(), text);
    while !rest.is_empty() {
        let (word, after) = rest.split_at(rest.floor_char_boundary(ENCODED_WORD_BYTES));
        words.push(format!("=?utf-8?b?{}?=", STANDARD.encode(word)));
        rest = after;
    }
    words.join(" ")
}

fn with_content(builder: MessageBuilder, mail: &SendEmail) -> Result<Message> {
    let text = mail.text.as_deref().map(|text| body_text(text, "/text")).transpose()?;
    let html = mail.html.as_deref().map(|html| body_text(html, "/html")).transpose()?;
    let attachments = attachments(mail)?;
    let built = match (text, html) {
        (None, None) => return Err(wrong("/text", "or `html` is needed")),
        (Some(text), Some(html)) => {
            // The last part that a reader understands wins, so the plain one comes first (RFC 2046, 5.1.4).
            let both = MultiPart::alternative_plain_html(text, html);
            if attachments.is_empty() {
                builder.multipart(both)
            } else {
                builder.multipart(attached(MultiPart::mixed().multipart(both), attachments))
            }
        }
        (Some(text), None) => with_one(builder, SinglePart::plain(text), attachments),
        (None, Some(html)) => with_one(builder, SinglePart::html(html), attachments),
    };
    built.map_err(|error| Error::internal("a message could not be put together", error))
}

fn with_one(
    builder: MessageBuilder,
    part: SinglePart,
    attachments: Vec<SinglePart>,
) -> Result<Message, lettre::error::Error> {
    if attachments.is_empty() {
        builder.singlepart(part)
    } else {
        builder.multipart(attached(MultiPart::mixed().singlepart(part), attachments))
    }
}

fn attached(multipart: MultiPart, attachments: Vec<SinglePart>) -> MultiPart {
    attachments.into_iter().fold(multipart, MultiPart::singlepart)
}

/// Line ends become CRLF here, in one pass: lettre would insert them one by one into the whole text.
fn body_text(text: &str, pointer: &str) -> Result<String> {
    if text.len() > MAX_TEXT_BYTES {
        return Err(wrong(
            pointer,
            &format!("is longer than {MAX_TEXT_BYTES} bytes; attach it as a file"),
        ));
    }
    if text.contains('\0') {
        return Err(wrong(pointer, "holds a NUL character"));
    }
    Ok(text.replace("\r\n", "\n").replace('\r', "\n").replace('\n', "\r\n"))
}

fn attachments(mail: &SendEmail) -> Result<Vec<SinglePart>> {
    if mail.attachments.len() > MAX_ATTACHMENTS {
        return Err(wrong("/attachments", &format!("has more than {MAX_ATTACHMENTS} files")));
    }
    let mut room = MAX_ATTACHMENT_BYTES;
    let each = mail.attachments.iter().enumerate();
    each.map(|(index, attachment)| attach(attachment, &format!("/attachments/{index}"), &mut room))
        .collect()
}

/// `room` is what is left of [`MAX_ATTACHMENT_BYTES`].
fn attach(attachment: &Attachment, pointer: &str, room: &mut usize) -> Result<SinglePart> {
    if attachment.path.is_some() {
        // F1: a caller must not read the server's files.
        let detail = "An attachment's `path` is not read: it would be a file of this server. Send the file itself in `content`, in base64.";
        return Err(Error::new(Code::AttachmentPathNotSupported, detail)
            .field(format!("{pointer}/path"), "send `content` instead"));
    }
    if attachment.url.is_some() {
        return Err(wrong(
            &format!("{pointer}/url"),
            "is not fetched; send the file itself in `content`, in base64",
        ));
    }
    let Some(content) = &attachment.content else {
        return Err(wrong(&format!("{pointer}/content"), "is needed: the file in base64"));
    };
    let too_large = || {
        wrong(
            pointer,
            &format!("makes all files together larger than {MAX_ATTACHMENT_BYTES} bytes"),
        )
    };
    // Before decoding, so that an oversized text costs nothing; the second test is the exact one.
    if content.len() / 4 * 3 > room.saturating_add(3) {
        return Err(too_large());
    }
    let content = STANDARD
        .decode(content)
        .map_err(|_| wrong(&format!("{pointer}/content"), "is not base64 (RFC 4648, with padding)"))?;
    *room = room.checked_sub(content.len()).ok_or_else(too_large)?;
    let filename = header_text(&attachment.filename, &format!("{pointer}/filename"))?;
    if filename.contains("=?") {
        let what = "holds `=?`, which mail readers take for encoded text; name the file without it";
        return Err(wrong(&format!("{pointer}/filename"), what));
    }
    let content_type = attachment.content_type.as_deref().unwrap_or("application/octet-stream");
    let content_type = media_type(content_type, &format!("{pointer}/content_type"))?;
    // Base64 always, so that no line end of a file is touched on the way.
    let body = Body::new_with_encoding(content, ContentTransferEncoding::Base64)
        .map_err(|_| Error::internal("base64 refused a file", "it takes any bytes"))?;
    Ok(Part::new(filename).body(body, content_type))
}

/// A media type (RFC 2045, section 5.1) of a file: not one of those that are messages of several parts themselves, whose
/// content a reader would take for parts of this mail.
fn media_type(text: &str, pointer: &str) -> Result<ContentType> {
    let text = header_text(text, pointer)?;
    let kind = text.trim_start().to_ascii_lowercase();
    if kind.starts_with("multipart/") || kind.starts_with("message/") {
        return Err(wrong(pointer, "is not a file's; send it as application/octet-stream"));
    }
    let plain = text.is_ascii() && !text.contains("=?");
    let parsed = ContentType::parse(&text).ok().filter(|_| plain);
    parsed.ok_or_else(|| wrong(pointer, "is not a media type such as application/pdf"))
}

fn wrong(pointer: &str, what: &str) -> Error {
    let place = pointer.trim_start_matches('/').replace('/', ".");
    Error::new(Code::ConnectorActionInputInvalid, format!("`{place}` {what}.")).field(pointer, what)
}

#[cfg(test)]
mod tests;
