//! Protocol buffers, as far as a profile needs them. Source: protobuf.dev, "Encoding".

/// A message under construction.
#[derive(Default)]
pub(super) struct Message(Vec<u8>);

const VARINT: u32 = 0;
const LENGTH: u32 = 2;

impl Message {
    /// A whole number; zero is what a reader assumes of an absent field, and so is not written.
    pub(super) fn number(mut self, field: u32, value: u64) -> Message {
        if value != 0 {
            self.tag(field, VARINT);
            self.varint(value);
        }
        self
    }

    /// A text, or the bytes of one. Empty ones are written: tables count on their places.
    pub(super) fn bytes(mut self, field: u32, bytes: &[u8]) -> Message {
        self.tag(field, LENGTH);
        self.varint(bytes.len() as u64);
        self.0.extend_from_slice(bytes);
        self
    }

    pub(super) fn message(self, field: u32, message: &Message) -> Message {
        self.bytes(field, &message.0)
    }

    /// Messages one after the other, a repeated field.
    pub(super) fn messages(self, field: u32, messages: impl IntoIterator<Item = Message>) -> Message {
        messages.into_iter().fold(self, |whole, message| whole.message(field, &message))
    }

    /// Numbers in one field.
    pub(super) fn packed(self, field: u32, values: impl IntoIterator<Item = u64>) -> Message {
        let mut packed = Message::default();
        for value in values {
            packed.varint(value);
        }
        self.message(field, &packed)
    }

    pub(super) fn finish(self) -> Vec<u8> {
        self.0
    }

    fn tag(&mut self, field: u32, kind: u32) {
        self.varint(u64::from(field << 3 | kind));
    }

    fn varint(&mut self, mut value: u64) {
        while value >= 0x80 {
            self.0.push((value & 0x7f) as u8 | 0x80);
            value >>= 7;
        }
        self.0.push(value.to_le_bytes()[0]);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The examples of the protocol's own page.
    #[test]
    fn messages_are_encoded_as_the_protocol_says() {
        assert_eq!(Message::default().number(1, 150).finish(), [0x08, 0x96, 0x01]);
        assert_eq!(Message::default().bytes(2, b"testing").finish(), b"\x12\x07testing");
        let inner = Message::default().number(1, 150);
        assert_eq!(Message::default().message(3, &inner).finish(), [0x1a, 0x03, 0x08, 0x96, 0x01]);
        let packed = Message::default().packed(6, [3, 270, 86_942]);
        assert_eq!(packed.finish(), [0x32, 0x06, 0x03, 0x8e, 0x02, 0x9e, 0xa7, 0x05]);
        assert_eq!(Message::default().number(1, u64::MAX).finish().len(), 11);
    }
}
