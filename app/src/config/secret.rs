//! Passwords and how they are kept from being shown.
//!
//! A [`Secret`] cannot be printed by accident: `Display` and `Debug` write `***`, and its memory is
//! overwritten when it is dropped. The one way to the text is [`Secret::expose`], so every use can be found.

use std::fmt;
use zeroize::{Zeroize, ZeroizeOnDrop};

/// What is shown in place of a secret.
pub const MASK: &str = "***";

/// A text that must not be shown.
#[derive(Clone, Zeroize, ZeroizeOnDrop)]
pub struct Secret(String);

impl Secret {
    /// Takes the text over.
    pub fn new(text: String) -> Self {
        Secret(text)
    }
    /// The text itself: for handing to a camera, never for a message.
    pub fn expose(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(MASK)
    }
}

impl fmt::Display for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(MASK)
    }
}

/// Who we are to a camera.
#[derive(Clone, Debug)]
pub struct Credentials {
    /// The account on the camera; never empty, no control characters.
    pub user: String,
    /// Its password; may be empty, as it is on some cameras.
    pub password: Secret,
}

/// Why a pair of texts are not [`Credentials`]. Says nothing of the texts themselves.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CredentialsError {
    /// No user.
    EmptyUser,
    /// A control character, a line end for instance, in one of them: no protocol could carry it.
    ControlCharacter,
}

impl Credentials {
    /// Checks and takes both.
    pub fn new(user: String, password: Secret) -> Result<Self, CredentialsError> {
        if user.is_empty() {
            return Err(CredentialsError::EmptyUser);
        }
        if user.chars().chain(password.expose().chars()).any(char::is_control) {
            return Err(CredentialsError::ControlCharacter);
        }
        Ok(Credentials { user, password })
    }
}

impl fmt::Display for CredentialsError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            CredentialsError::EmptyUser => "the user is empty",
            CredentialsError::ControlCharacter => "user or password holds a control character",
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_secret_is_never_printed() {
        let credentials =
            Credentials::new("viewer".to_owned(), Secret::new("canary".to_owned())).expect("they are fine");
        assert_eq!(format!("{:?}", credentials), r#"Credentials { user: "viewer", password: *** }"#);
        assert_eq!(format!("{:#?} {}", credentials.password, credentials.password), "*** ***");
        assert_eq!(credentials.password.expose(), "canary");
    }

    #[test]
    fn what_no_camera_could_be_told_is_refused() {
        let pair = |user: &str, password: &str| {
            Credentials::new(user.to_owned(), Secret::new(password.to_owned())).map(|_| ())
        };
        assert_eq!(pair("viewer", ""), Ok(()), "some cameras have an empty password");
        assert_eq!(pair("", "x"), Err(CredentialsError::EmptyUser));
        assert_eq!(pair("viewer", "x\n"), Err(CredentialsError::ControlCharacter));
        assert_eq!(pair("view\u{1b}er", "x"), Err(CredentialsError::ControlCharacter));
    }
}
