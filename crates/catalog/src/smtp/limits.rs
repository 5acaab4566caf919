//! Bounds of the mail connector, each with its reason.

use std::ops::RangeInclusive;

/// Recipients of one mail: what every server takes at least (RFC 5321, 4.5.3.1.8). More are a mailing list's work.
pub(super) const MAX_RECIPIENTS: usize = 100;

/// All attachments of one mail, decoded. In base64 they and the texts still fit into an action's input.
pub(super) const MAX_ATTACHMENT_BYTES: usize = 10 * 1024 * 1024;

/// Attachments of one mail: far more than people send, few enough to bound the work.
pub(super) const MAX_ATTACHMENTS: usize = 100;

/// The text and the HTML form, each.
pub(super) const MAX_TEXT_BYTES: usize = 2 * 1024 * 1024;

/// Headers of the caller's own.
pub(super) const MAX_HEADERS: usize = 50;

/// A header's value, a subject or a display name: below the line limit of 998 (RFC 5322, 2.1.1) even where nothing
/// can be folded.
pub(super) const MAX_HEADER_BYTES: usize = 900;

/// Bytes in one encoded word: 52 characters in base64, so that the word with its frame stays below 75 (RFC 2047,
/// section 2) and its line below 76 behind a short header's name.
pub(super) const ENCODED_WORD_BYTES: usize = 39;

/// One line of a server's reply. RFC 5321 allows 512; servers are known to say more.
pub(super) const MAX_REPLY_LINE_BYTES: usize = 2048;

/// Lines of one reply: an EHLO answer has one for each extension.
pub(super) const MAX_REPLY_LINES: usize = 100;

/// Characters of a server's words that we repeat in an error.
pub(super) const MAX_SHOWN_CHARS: usize = 300;

/// Ports of mail servers: relay, TLS from the first byte, submission, and its usual second. Any other port is no mail
/// server's, and a connector that reaches every port is a port scanner.
pub(super) const PORTS: [u16; 4] = [25, 465, 587, 2525];

/// The port on which TLS begins with the first byte (RFC 8314, 3.3).
pub(super) const IMPLICIT_TLS_PORT: u16 = 465;

/// A server that does nothing before a sign-in (RFC 4954, section 6) or TLS (RFC 3207, section 4): it does not say which.
pub(super) const SIGN_IN_OR_TLS_REQUIRED: u16 = 530;

/// Reply codes by which a server refuses who signs in (RFC 4954, section 6).
pub(super) const SIGN_IN_REFUSED: [u16; 2] = [534, 535];

/// A mechanism that the server takes only inside TLS (RFC 4954, section 6).
pub(super) const ENCRYPTION_REQUIRED: u16 = 538;

/// Reply codes by which a server says "later".
pub(super) const TRANSIENT: RangeInclusive<u16> = 400..=499;
