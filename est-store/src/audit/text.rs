//! What is written down of a text that somebody else may have chosen.

use std::borrow::Cow;

/// How many octets of a text are kept at most.
const LIMIT: usize = 2048;

/// What is left for telling how much was cut off.
const REMARK: usize = 32;

/// Writes control characters, and those that turn the direction of writing, as escapes (`\n`, `\u{1b}`), and cuts off
/// what is longer than 2,048 octets then, telling how much.
pub(crate) fn plain(text: &str) -> Cow<'_, str> {
    let text = if text.contains(is_hidden) {
        let escaped =
            text.chars().map(|one| if is_hidden(one) { one.escape_default().to_string() } else { one.into() });
        Cow::Owned(escaped.collect())
    } else {
        Cow::Borrowed(text)
    };
    if text.len() <= LIMIT {
        return text;
    }
    let (kept, rest) = text.split_at(text.floor_char_boundary(LIMIT - REMARK));
    Cow::Owned(format!("{kept}… (+{} octets)", rest.len()))
}

/// Whether a terminal, or a file of lines, would do something else than show it.
fn is_hidden(character: char) -> bool {
    matches!(character, '\u{200e}' | '\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
        || character.is_control()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn leaves_what_people_write_as_it_is() {
        for text in ["", "CN=Zoë\\, Ltd.", "profile device: 日本", &"x".repeat(LIMIT)] {
            assert!(matches!(plain(text), Cow::Borrowed(same) if same == text), "{text}");
        }
    }

    #[test]
    fn shows_what_would_hide() {
        assert_eq!(plain("a\nb\r\0\u{1b}[2J\u{85}\u{202e}x"), "a\\nb\\r\\u{0}\\u{1b}[2J\\u{85}\\u{202e}x");
    }

    #[test]
    fn cuts_a_long_text_at_a_character_and_tells_how_much() {
        assert_eq!(plain(&"x".repeat(70_000)), format!("{}… (+67984 octets)", "x".repeat(2016)));
        for head in 0..4 {
            let long = "x".repeat(head) + &"😀".repeat(20_000);
            let cut = plain(&long);
            assert!(cut.len() <= LIMIT && cut.contains("😀… (+"), "{}", cut.len());
        }
        assert!(plain(&"\n".repeat(LIMIT)).len() <= LIMIT, "escapes count");
    }
}
