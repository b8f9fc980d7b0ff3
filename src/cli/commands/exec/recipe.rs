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

/// All recipes, those of the user first.
pub(super) fn all(folder: &Path) -> Result<Vec<Recipe>> {
    let mut recipes = Vec::new();
    let mut names = fs::names(folder, ".toml")?;
    names.sort();
    for name in names {
        let path = folder.join(format!("{name}.toml"));
        let bytes = fs::read_user_edited(&path, MAX_RECIPE_BYTES)?.unwrap_or_default();
        let text = String::from_utf8_lossy(&bytes);
        match toml::from_str::<RecipeFile>(&text) {
            Ok(file) => recipes.extend(file.recipe),
            Err(error) => bail!(
                CliError::misuse(format!(
                    "`recipes/{name}.toml` is not a recipe: {}",
                    error.message()
                ))
                .hint("`chatbot exec --list --print` shows the form of a recipe")
            ),
        }
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
            assert!(
                TokenShape::NAMES
                    .iter()
                    .any(|(name, _)| *name == recipe.shape),
                "{recipe:?}"
            );
            let values = RecipeValues {
                root: "http://127.0.0.1:1",
                token: "T",
            };
            let mut all = recipe.arguments(&values);
            all.extend(
                recipe
                    .variables(&values)
                    .into_iter()
                    .map(|(_, value)| value),
            );
            let all = all.join("\n");
            assert!(all.contains("http://127.0.0.1:1"), "{recipe:?}");
            // Only JSON has other braces.
            assert!(
                !["{root}", "{v1}", "{host}", "{token}"]
                    .iter()
                    .any(|hole| all.contains(hole)),
                "{all}"
            );
        }
        assert_eq!(
            find(&recipes, "/usr/bin/claude").unwrap().title,
            "Claude Code"
        );
        assert_eq!(find(&recipes, "mytool.py").unwrap().title, "any program");
    }
}
