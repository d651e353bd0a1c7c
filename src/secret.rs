//! What is secret is named on the command line or in a file and never said there: other people see the
//! arguments of a program, shells keep them, and files are passed on.

use crate::error::Error;
use std::fmt;
use std::path::PathBuf;

/// Where something secret is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Reference {
    /// `env:NAME`: in a variable of the environment.
    Env(String),
    /// `file:PATH`: in a file.
    File(PathBuf),
}

impl Reference {
    /// The reference that a text is, if it is one.
    pub fn of(text: &str) -> Option<Reference> {
        match text.split_once(':') {
            Some(("env", name)) if !name.is_empty() => Some(Reference::Env(name.into())),
            Some(("file", path)) if !path.is_empty() => Some(Reference::File(path.into())),
            _ => None,
        }
    }

    /// What is there, without the space around it.
    pub fn read(&self) -> Result<Secret, Error> {
        let wrong = |what: String| Error::Usage(format!("{self}: {what}"));
        let text = match self {
            Reference::Env(name) => std::env::var(name).map_err(|e| match e {
                std::env::VarError::NotPresent => wrong("there is no such variable".into()),
                std::env::VarError::NotUnicode(_) => wrong("it is no text".into()),
            })?,
            Reference::File(path) => {
                std::fs::read_to_string(path).map_err(|e| wrong(e.to_string()))?
            }
        };
        match text.trim() {
            "" => Err(wrong("it is empty".into())),
            text => Ok(Secret(text.into())),
        }
    }
}

impl fmt::Display for Reference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Reference::Env(name) => write!(f, "env:{name}"),
            Reference::File(path) => write!(f, "file:{}", path.display()),
        }
    }
}

/// Something that is not to be printed.
pub struct Secret(String);

impl Secret {
    /// One that is known, for tests.
    #[cfg(test)]
    pub(crate) fn of(text: &str) -> Secret {
        Secret(text.into())
    }

    /// For whom it is meant.
    pub fn expose(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("(secret)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_secret_is_found_by_reference_and_not_printed() {
        let path = std::env::temp_dir().join(format!("tidemill-secret-{}", std::process::id()));
        std::fs::write(&path, "hush\n").expect("a file");
        let reference = Reference::of(&format!("file:{}", path.display())).expect("a reference");
        let secret = reference.read().expect("there");
        std::fs::remove_file(&path).expect("ours");
        assert_eq!(secret.expose(), "hush");
        assert!(!format!("{secret:?}").contains("hush"));
        let missing = reference.read().expect_err("gone").to_string();
        assert!(missing.contains(&path.display().to_string()), "{missing}");
        assert_eq!(Reference::of("hush"), None);
        assert_eq!(Reference::of("env:"), None);
        let unset = Reference::of("env:TIDEMILL_NEVER_SET").expect("a reference");
        assert!(unset.read().expect_err("not set").to_string().contains("no such variable"));
    }
}
