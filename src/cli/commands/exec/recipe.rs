//! Recipes: how each program is told to use the proxy. They are data, and users can add their own.

use crate::cli::errors::CliError;
use crate::fs;
use crate::proxy::scope::TokenShape;
use anyhow::{Result, bail};
use serde::Deserialize;
use std::collections::BTreeMap;
use std::path::Path;

/// The recipes that this program knows.
const BUILT_IN: &str = include_str!("recipes.toml");
/// The largest file of a user.
const MAX_RECIPE_BYTES: u64 = 1 << 16;
/// What stands for a value in a recipe.
const HOLES: [&str; 4] = ["root", "v1", "host", "token"];
/// The program of the recipe for all others.
const ANY: &str = "*";

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct RecipeFile {
    recipe: Vec<Recipe>,
}

/// How a program is connected.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Recipe {
    pub(super) program: Vec<String>,
    pub(super) title: String,
    #[serde(default)]
    shape: String,
    #[serde(default)]
    env: BTreeMap<String, String>,
    #[serde(default)]
    pub(super) remove: Vec<String>,
    #[serde(default)]
    args: Vec<String>,
    #[serde(default)]
    pub(super) logins: Vec<String>,
    #[serde(default)]
    pub(super) note: Option<String>,
}

/// The address and the token that a recipe puts in.
#[derive(Debug)]
pub(super) struct RecipeValues<'a> {
    /// The address without a path.
    pub(super) root: &'a str,
    pub(super) token: &'a str,
}

impl RecipeValues<'_> {
    fn fill(&self, template: &str) -> String {
        let host = self.root.trim_start_matches("http://");
        template
            .replace("{root}", self.root)
            .replace("{v1}", &format!("{}/v1", self.root))
            .replace("{host}", host)
            .replace("{token}", self.token)
    }
}

impl Recipe {
    pub(super) fn shape(&self) -> TokenShape {
        let found = TokenShape::NAMES
            .iter()
            .find(|(name, _)| *name == self.shape);
        found.map_or_else(TokenShape::default, |(_, shape)| *shape)
    }

    /// What is wrong with it, although it is well-formed.
    fn mistake(&self) -> Option<String> {
        let is_shape = |(name, _): &(&str, TokenShape)| *name == self.shape;
        if !self.shape.is_empty() && !TokenShape::NAMES.iter().any(is_shape) {
            return Some(String::from("`shape` must be openai, anthropic or google"));
        }
        let texts = self.env.values().chain(&self.args);
        let hole = texts
            .flat_map(|text| holes(text))
            .find(|hole| !HOLES.contains(hole));
        hole.map(|hole| format!("`{{{hole}}}` stands for nothing"))
    }

    /// The variables to set.
    pub(super) fn variables(&self, values: &RecipeValues<'_>) -> Vec<(String, String)> {
        self.env
            .iter()
            .map(|(name, template)| (name.clone(), values.fill(template)))
            .collect()
    }

    /// The arguments to put before those of the command line.
    pub(super) fn arguments(&self, values: &RecipeValues<'_>) -> Vec<String> {
        self.args
            .iter()
            .map(|template| values.fill(template))
            .collect()
    }
}

/// The words in braces. The braces of JSON have other characters within.
fn holes(text: &str) -> Vec<&str> {
    let parts = text.split('{').skip(1);
    let words = parts.filter_map(|part| Some(part.split_once('}')?.0));
    let is_word = |word: &&str| {
        !word.is_empty()
            && word
                .bytes()
                .all(|b| b.is_ascii_lowercase() || b.is_ascii_digit())
    };
    words.filter(is_word).collect()
}

/// All recipes, those of the user first.
pub(super) fn all(folder: &Path) -> Result<Vec<Recipe>> {
    let mut recipes = Vec::new();
    let mut names = fs::names(folder, ".toml")?;
    names.sort();
    for name in names {
        let path = folder.join(format!("{name}.toml"));
        let bytes = fs::read_user_edited(&path, MAX_RECIPE_BYTES)?.unwrap_or_default();
        let text = String::from_utf8_lossy(&bytes);
        let file = toml::from_str::<RecipeFile>(&text).map_err(|error| error.message().to_owned());
        let mistake = match file {
            Ok(file) => match file.recipe.iter().find_map(Recipe::mistake) {
                None => {
                    recipes.extend(file.recipe);
                    continue;
                }
                Some(mistake) => mistake,
            },
            Err(mistake) => mistake,
        };
        bail!(
            CliError::misuse(format!("`recipes/{name}.toml` is not a recipe: {mistake}"))
                .hint("`chatbot exec --list --print` shows the form of a recipe")
        );
    }
    recipes.extend(built_in());
    Ok(recipes)
}

fn built_in() -> Vec<Recipe> {
    // A test reads it, so it can be read.
    toml::from_str::<RecipeFile>(BUILT_IN).map_or_else(|_| Vec::new(), |file| file.recipe)
}

/// The text of the built-in recipes.
pub(super) const fn text() -> &'static str {
    BUILT_IN
}

/// The recipe for a program, by the name of its file.
pub(super) fn find<'a>(recipes: &'a [Recipe], program: &str) -> Option<&'a Recipe> {
    let stem = Path::new(program).file_stem()?.to_str()?;
    let named = |name: &str| recipes.iter().find(|r| r.program.iter().any(|p| p == name));
    named(stem).or_else(|| named(ANY))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn built_in_recipes_are_complete() {
        let recipes = toml::from_str::<RecipeFile>(BUILT_IN).unwrap().recipe;
        for recipe in &recipes {
            assert_eq!(recipe.mistake(), None, "{recipe:?}");
            let values = RecipeValues {
                root: "http://127.0.0.1:1",
                token: "T",
            };
            let mut all = recipe.arguments(&values);
            let variables = recipe.variables(&values).into_iter();
            all.extend(variables.map(|(_, value)| value));
            let all = all.join("\n");
            assert!(all.contains("http://127.0.0.1:1"), "{recipe:?}");
            assert_eq!(holes(&all), Vec::<&str>::new());
        }
        assert_eq!(
            find(&recipes, "/usr/bin/claude").unwrap().title,
            "Claude Code"
        );
        assert_eq!(find(&recipes, "mytool.py").unwrap().title, "any program");
    }
}
