//! What is written down of a text that somebody else may have chosen.

use std::borrow::Cow;

use est_core::with_hidden_escaped;

/// How many octets of a text are kept at most.
const LIMIT: usize = 2048;

/// What is left for telling how much was cut off.
const REMARK: usize = 32;

/// Writes hidden characters as escapes (`\n`, `\u{200b}`), and cuts off what is longer than 2,048 octets then, telling
/// how much.
pub(crate) fn plain(text: &str) -> Cow<'_, str> {
    let text = with_hidden_escaped(text);
    if text.len() <= LIMIT {
        return text;
    }
    let (kept, rest) = text.split_at(text.floor_char_boundary(LIMIT - REMARK));
    Cow::Owned(format!("{kept}… (+{} octets)", rest.len()))
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
        assert_eq!(plain("admin\u{200b}\u{ad}\u{feff}"), "admin\\u{200b}\\u{ad}\\u{feff}");
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
