//! Characters that nobody sees, or that make a text read as something else than it is.

use alloc::borrow::Cow;
use alloc::string::{String, ToString};

/// Whether a character is invisible, a control, or changes how the text around it is shown: with one of them, two texts
/// look alike that are not.
///
/// These are the properties Default_Ignorable_Code_Point (soft hyphens, joiners, variation selectors, fillers, tags) and
/// Bidi_Control of Unicode 16, control characters, separators of lines and paragraphs, the marks of annotations, and the
/// blank of Braille, which is no space.
#[must_use]
pub fn is_hidden(character: char) -> bool {
    character.is_control()
        || matches!(
            character,
            '\u{ad}'
                | '\u{34f}'
                | '\u{61c}'
                | '\u{115f}'..='\u{1160}'
                | '\u{17b4}'..='\u{17b5}'
                | '\u{180b}'..='\u{180f}'
                | '\u{200b}'..='\u{200f}'
                | '\u{2028}'..='\u{202e}'
                | '\u{2060}'..='\u{206f}'
                | '\u{2800}'
                | '\u{3164}'
                | '\u{fe00}'..='\u{fe0f}'
                | '\u{feff}'
                | '\u{ffa0}'
                | '\u{fff0}'..='\u{fffb}'
                | '\u{1bca0}'..='\u{1bca3}'
                | '\u{1d173}'..='\u{1d17a}'
                | '\u{e0000}'..='\u{e0fff}'
        )
}

/// The text with its hidden characters written as escapes: `\n`, `\u{200b}`.
#[must_use]
pub fn with_hidden_escaped(text: &str) -> Cow<'_, str> {
    if !text.contains(is_hidden) {
        return Cow::Borrowed(text);
    }
    let escape = |one: char| if is_hidden(one) { one.escape_default().to_string() } else { one.to_string() };
    Cow::Owned(text.chars().map(escape).collect::<String>())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sees_what_people_write() {
        for text in ["device-7", "Zoë\\, Ltd.", "Jürgen Groß", "設備 7", "دستگاه", "מכשיר", "ทดสอบ", "É", "a b"]
        {
            assert!(!text.chars().any(is_hidden), "{text}");
            assert!(matches!(with_hidden_escaped(text), Cow::Borrowed(same) if same == text));
        }
    }

    #[test]
    fn finds_what_nobody_sees() {
        let hidden = "\0\n\u{1b}\u{7f}\u{85}\u{ad}\u{34f}\u{61c}\u{115f}\u{17b4}\u{180e}\u{200b}\u{200c}\u{200d}\u{200e}\u{200f}\
                      \u{2028}\u{2029}\u{202a}\u{202e}\u{2060}\u{2064}\u{2066}\u{2069}\u{206f}\u{2800}\u{3164}\u{fe0f}\u{feff}\
                      \u{ffa0}\u{fff9}\u{1bca0}\u{1d173}\u{e0001}\u{e0041}\u{e01ef}";
        for character in hidden.chars() {
            assert!(is_hidden(character), "{}", character.escape_unicode());
        }
        assert_eq!(with_hidden_escaped("admin\u{200b}\n\u{202e}x"), "admin\\u{200b}\\n\\u{202e}x");
    }
}
