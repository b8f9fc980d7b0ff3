//! Which provider, profile, model and key a request uses: from the options, else the environment,
//! else the settings, else the defaults.

use crate::catalog::{self, Endpoint};
use crate::cli::context::Context;
use crate::cli::errors::{CliError, CliExit};
use crate::config::{self, KeySource};
use crate::name::Name;
use crate::privacy::{Placeholders, Raw};
use anyhow::{Context as _, Result, bail};

/// The provider, model and key to use for a request.
#[derive(Clone, Debug)]
pub(crate) struct ProviderChoice {
    pub(crate) endpoint: Endpoint,
    pub(crate) key: KeySource,
    pub(crate) env_name: Option<String>,
    pub(crate) profile: Name,
    pub(crate) model: String,
}

/// Selects the provider: from the option, else the environment, else the settings, else the
/// default.
pub(crate) fn choose(
    context: &mut Context,
    provider: Option<&Name>,
    profile: Option<&Name>,
    model: Option<&str>,
) -> Result<ProviderChoice> {
    let settings = context.settings()?;
    let named = match model {
        Some(model) => Some(model.to_owned()),
        None => context.env.text("CHATBOT_MODEL")?,
    };
    let default = settings.model.clone().filter(|_| provider.is_none());
    let (provider, model) = match named
        .as_deref()
        .or(default.as_deref())
        .and_then(|name| settings.alias(name))
    {
        Some((aliased, _)) if provider.is_some_and(|given| *given != aliased) => {
            bail!(
                CliError::misuse(format!("this alias is for a model of `{aliased}`"))
                    .hint("leave out `--provider`, or write the full name of the model")
            );
        }
        Some((aliased, model)) => (Some(aliased), Some(model)),
        None => (provider.cloned(), named),
    };
    let (name, profile) = resolve_for_request(context, provider.as_ref(), profile)?;
    let own = settings.provider.as_ref() == Some(&name)
        || (settings.provider.is_none() && name.as_str() == catalog::DEFAULT_PROVIDER);
    let asked = model.or_else(|| settings.model.clone().filter(|_| own));
    let endpoint = endpoint(context, &name)?;
    if let Some(custom) = settings.providers.get(&name) {
        let model = asked
            .or_else(|| custom.model.clone())
            .or_else(|| catalog::find(name.as_str()).map(|e| e.model.to_owned()));
        let Some(model) = model else {
            bail!(
                CliError::misuse(format!("no model set for `{name}`")).hint(format!(
                    "add `model = \"…\"` to `[providers.{name}]`, or use `--model`"
                ))
            );
        };
        let env_name = match &custom.key {
            KeySource::Env(variable) => Some(variable.clone()),
            _ => None,
        };
        let model = check_model_name(context, model)?;
        return Ok(ProviderChoice {
            endpoint,
            key: custom.key.clone(),
            env_name,
            profile,
            model,
        });
    }
    let entry = catalog::find(name.as_str()).context("the provider is not in the catalogue")?;
    let key = if entry.needs_key {
        KeySource::Stored
    } else {
        KeySource::NoKey
    };
    Ok(ProviderChoice {
        endpoint,
        key,
        env_name: entry.env.map(str::to_owned),
        profile,
        model: check_model_name(context, asked.unwrap_or_else(|| entry.model.to_owned()))?,
    })
}

/// The provider and the profile whose key a request uses: a profile in the settings can name
/// another one that has the keys.
pub(crate) fn resolve_for_request(
    context: &mut Context,
    provider: Option<&Name>,
    profile: Option<&Name>,
) -> Result<(Name, Name)> {
    let (name, profile) = resolve(context, provider, profile)?;
    let key_profile = context.settings()?.key_profile.clone();
    Ok((name, key_profile.unwrap_or(profile)))
}

/// The selected provider and profile, whether or not the provider exists.
pub(crate) fn resolve(
    context: &mut Context,
    provider: Option<&Name>,
    profile: Option<&Name>,
) -> Result<(Name, Name)> {
    let profile = match profile {
        Some(profile) => profile.clone(),
        None => context
            .env
            .name("CHATBOT_PROFILE")?
            .map_or_else(|| "default".parse(), Ok)?,
    };
    let name = match provider {
        Some(name) => name.clone(),
        None => match context.env.name("CHATBOT_PROVIDER")? {
            Some(name) => name,
            None => context
                .settings()?
                .provider
                .clone()
                .map_or_else(|| catalog::DEFAULT_PROVIDER.parse(), Ok)?,
        },
    };
    Ok((name, profile))
}

/// Finds the endpoint of a provider. An entry in the settings replaces one of the catalogue
/// with the same name, and then has a key of its own.
pub(crate) fn endpoint(context: &mut Context, name: &Name) -> Result<Endpoint> {
    let settings = context.settings()?;
    if let Some(custom) = settings.providers.get(name) {
        let mut endpoint = Endpoint::custom(name.clone(), custom.base_url.clone());
        endpoint.allow_http = custom.allow_http;
        if let Some(like) = &custom.compatible_with {
            let Some(entry) = catalog::find(like.as_str()) else {
                bail!(
                    CliError::misuse(format!("`[providers.{name}]` is compatible with `{like}`, which is not a known provider"))
                        .hint("set `compatible_with` to a provider that chatbot knows, such as \"openrouter\"")
                );
            };
            (endpoint.key_check_api, endpoint.dialect) = (entry.key_check_api, entry.dialect);
        }
        return Ok(endpoint);
    }
    if let Some(endpoint) = catalog::find(name.as_str()).and_then(catalog::ProviderInfo::endpoint) {
        return Ok(endpoint);
    }
    let names = catalog::all()
        .iter()
        .map(|e| e.name)
        .chain(settings.providers.keys().map(Name::as_str));
    let nearest = config::closest_name(name.as_str(), names.clone());
    let hint = match nearest {
        Some(nearest) => format!("did you mean `{nearest}`?"),
        None => {
            format!(
                "known providers: {}; add others as `[providers.{name}]` in the settings",
                names.collect::<Vec<_>>().join(", ")
            )
        }
    };
    bail!(CliError::misuse(format!("there is no provider `{name}`")).hint(hint))
}

/// Refuses a model name that contains a key or an address: model names are sent and logged
/// without redaction.
pub(crate) fn check_model_name(context: &mut Context, model: String) -> Result<String> {
    const UNWANTED_IN_MODEL_NAMES: [&str; 6] = [
        "API_KEY",
        "EMAIL",
        "JWT",
        "PASSWORD",
        "PRIVATE_KEY",
        "URL_CREDENTIALS",
    ];
    let (_, found) = context
        .redactor()?
        .redact(Raw::from(model.as_str()), &mut Placeholders::default());
    if let Some((kind, _)) = found
        .counts()
        .into_iter()
        .find(|(kind, _)| UNWANTED_IN_MODEL_NAMES.contains(&kind.as_str()))
    {
        bail!(
            CliError::new(
                CliExit::Refused,
                "private_model",
                format!("the model name contains private data ({kind})")
            )
            .hint("list the model names with `chatbot models`")
        );
    }
    Ok(model)
}
