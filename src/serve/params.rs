//! The parameters of a request, of which none is passed over.

use super::problem::Problem;
use crate::near::did_you_mean;
use crate::shown::shown;

/// See the module.
#[derive(Clone, Debug, Default)]
pub struct Params(Vec<(String, String)>);

impl Params {
    /// Those of a query string; refuses what is not among `known`, and what is there twice.
    pub fn read(query: Option<&str>, known: &[&str]) -> Result<Params, Problem> {
        let mut found: Vec<(String, String)> = Vec::new();
        for (name, value) in form_urlencoded::parse(query.unwrap_or_default().as_bytes()) {
            if !known.contains(&&*name) {
                let near = did_you_mean(&name, known.iter().copied());
                let what = format!("there is no such parameter{near}");
                let remedy = match known {
                    [] => "leave it out: there are none here".to_owned(),
                    _ => format!("the parameters are {}", known.join(", ")),
                };
                return Err(Problem::wrong(&format!("{:?}", shown(&name, 40)), what, remedy));
            }
            if found.iter().any(|(other, _)| *other == name) {
                return Err(Problem::wrong(&name, "it is there twice", "give it once"));
            }
            found.push((name.into_owned(), value.into_owned()));
        }
        Ok(Params(found))
    }

    /// A parameter.
    pub fn get(&self, name: &str) -> Option<&str> {
        self.0.iter().find(|(other, _)| other == name).map(|(_, value)| value.as_str())
    }

    /// A parameter that is a whole number.
    pub fn number(&self, name: &str, least: usize, most: usize) -> Result<Option<usize>, Problem> {
        let Some(text) = self.get(name) else { return Ok(None) };
        match text.parse() {
            Ok(number) if (least..=most).contains(&number) => Ok(Some(number)),
            _ => {
                let what =
                    format!("{:?} is no whole number from {least} to {most}", shown(text, 40));
                Err(Problem::wrong(name, what, "give one, or leave it out"))
            }
        }
    }
}
