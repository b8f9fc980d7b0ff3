//! Who issued a value, and where it is revoked.

use crate::catalog;
use crate::privacy::{FoundValue, Kind};

/// The issuer of a key.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct SecretIssuer {
    pub(crate) name: &'static str,
    /// The page on which its keys are revoked.
    pub(crate) page: &'static str,
    /// The command that revokes or replaces one.
    pub(crate) command: Option<&'static str>,
}

/// An issuer, and the tokens it issues.
struct IssuerRow {
    issuer: SecretIssuer,
    /// The rules that find its tokens.
    rules: &'static [&'static str],
    /// How they begin, if a rule finds those of others too.
    prefixes: &'static [&'static str],
}

/// Declares rows: name, rules, prefixes, page, command.
macro_rules! issuers {
    ($($name:literal, $rules:expr, $prefixes:expr, $page:literal, $command:expr;)+) => {
        &[$(IssuerRow {
            issuer: SecretIssuer { name: $name, page: $page, command: $command },
            rules: &$rules,
            prefixes: &$prefixes,
        }),+]
    };
}

/// The rules for keys of known providers, the provider, whose page is in the catalog, and the
/// command that replaces its key in the key store.
const PROVIDER_RULES: &[(&str, &str, &str)] = &[
    (
        "openrouter",
        "openrouter",
        "chatbot key rotate --provider openrouter",
    ),
    ("openai", "openai", "chatbot key rotate --provider openai"),
    (
        "anthropic",
        "anthropic",
        "chatbot key rotate --provider anthropic",
    ),
    ("google", "gemini", "chatbot key rotate --provider gemini"),
    ("groq", "groq", "chatbot key rotate --provider groq"),
    ("xai", "xai", "chatbot key rotate --provider xai"),
];

/// Other issuers. The first row that fits counts.
const ISSUERS: &[IssuerRow] = issuers! {
    "GitHub", ["github", "github-fine"], [], "https://github.com/settings/tokens", None;
    "GitLab", ["gitlab"], [], "https://gitlab.com/-/user_settings/personal_access_tokens", None;
    "Atlassian", ["bitbucket"], [],
        "https://id.atlassian.com/manage-profile/security/api-tokens", None;
    "Atlassian", ["atlassian-and-clickup"], ["ATSTT"],
        "https://id.atlassian.com/manage-profile/security/api-tokens", None;
    "ClickUp", ["atlassian-and-clickup"], ["pk_"], "https://app.clickup.com/settings/apps", None;
    "AWS", ["aws-id", "aws-session", "aws-bedrock", "aws-mws", "aws-secret-behind"], [],
        "https://console.aws.amazon.com/iam/home#/security_credentials",
        Some("aws iam delete-access-key --access-key-id ID");
    "Google OAuth", ["google-oauth"], ["GOCSPX"],
        "https://console.cloud.google.com/apis/credentials", None;
    "Google OAuth", ["google-oauth"], [],
        "https://myaccount.google.com/permissions", Some("gcloud auth revoke");
    "Azure", ["azure-devops-and-storage", "azure-openai-and-search"], [],
        "https://portal.azure.com", None;
    "Microsoft Entra", ["azure-ad-secret"], [], "https://entra.microsoft.com", None;
    "DigitalOcean", ["digital-ocean"], [],
        "https://cloud.digitalocean.com/account/api/tokens", None;
    "Cloudflare", ["cloudflare", "cloudflare-origin"], [],
        "https://dash.cloudflare.com/profile/api-tokens", None;
    "Heroku", ["heroku"], [],
        "https://dashboard.heroku.com/account", Some("heroku authorizations:revoke ID");
    "HashiCorp Vault", ["hashicorp-vault"], [],
        "https://developer.hashicorp.com/vault/docs/commands/token/revoke",
        Some("vault token revoke -accessor ACCESSOR");
    "HCP Terraform", ["terraform"], [], "https://app.terraform.io/app/settings/tokens", None;
    "Pulumi", ["pulumi"], [], "https://app.pulumi.com/account/tokens", None;
    "Fly.io", ["fly"], [],
        "https://fly.io/user/personal_access_tokens", Some("fly tokens revoke ID");
    "Render", ["render-railway-vercel"], ["rnd_"], "https://dashboard.render.com/settings", None;
    "Netlify", ["render-railway-vercel"], ["nfp_"],
        "https://app.netlify.com/user/applications", None;
    "Vercel", ["render-railway-vercel"], ["vc", "vercel"],
        "https://vercel.com/account/tokens", None;
    "Supabase", ["netlify-and-supabase"], ["sb"],
        "https://supabase.com/dashboard/account/tokens", None;
    "PlanetScale", ["planetscale-and-neon"], ["pscale"], "https://app.planetscale.com", None;
    "Neon", ["planetscale-and-neon"], ["np", "na"],
        "https://console.neon.tech/app/settings/api-keys", None;
    "Datadog", ["datadog-and-newrelic"], ["ddp_"],
        "https://app.datadoghq.com/organization-settings/api-keys", None;
    "New Relic", ["datadog-and-newrelic"], [],
        "https://one.newrelic.com/admin-portal/api-keys/home", None;
    "Grafana", ["grafana"], [], "https://grafana.com/profile/org", None;
    "Sentry", ["sentry"], [], "https://sentry.io/settings/account/api/auth-tokens/", None;
    "Databricks", ["databricks"], [],
        "https://accounts.cloud.databricks.com", Some("databricks tokens delete ID");
    "Doppler", ["doppler"], [], "https://dashboard.doppler.com", None;
    "Tailscale", ["tailscale"], [], "https://login.tailscale.com/admin/settings/keys", None;
    "MongoDB Atlas", ["mongodb-atlas"], [], "https://cloud.mongodb.com", None;
    "CircleCI", ["circle-ci"], [], "https://app.circleci.com/settings/user/tokens", None;
    "Buildkite", ["buildkite"], [], "https://buildkite.com/user/api-access-tokens", None;
    "npm", ["npm"], [], "https://www.npmjs.com/settings/~/tokens", Some("npm token revoke ID");
    "PyPI", ["pypi"], [], "https://pypi.org/manage/account/token/", None;
    "crates.io", ["crates-io"], [], "https://crates.io/settings/tokens", None;
    "RubyGems", ["rubygems"], [], "https://rubygems.org/profile/api_keys", None;
    "NuGet", ["nuget"], [], "https://www.nuget.org/account/apikeys", None;
    "Docker Hub", ["docker-hub"], [],
        "https://app.docker.com/settings/personal-access-tokens", None;
    "Postman", ["postman"], [], "https://go.postman.co/settings/me/api-keys", None;
    "Sonar", ["sonar"], [], "https://sonarcloud.io/account/security", None;
    "Linear", ["linear"], [], "https://linear.app/settings/account/security", None;
    "Notion", ["notion"], [], "https://www.notion.so/profile/integrations", None;
    "Figma", ["figma-asana-airtable"], ["fig"], "https://www.figma.com/settings", None;
    "Airtable", ["figma-asana-airtable"], ["pat"], "https://airtable.com/create/tokens", None;
    "Slack", ["slack", "slack-webhook"], [], "https://api.slack.com/apps", None;
    "Discord", ["discord-bot", "discord-webhook"], [],
        "https://discord.com/developers/applications", None;
    "Telegram", ["telegram"], [], "https://t.me/BotFather", None;
    "Twilio", ["twilio", "twilio-account", "twilio-secret-behind"], [],
        "https://console.twilio.com/us1/account/keys-credentials/api-keys", None;
    "SendGrid", ["sendgrid"], [], "https://app.sendgrid.com/settings/api_keys", None;
    "Mailgun", ["mailgun"], [], "https://app.mailgun.com/settings/api_security", None;
    "Mailchimp", ["mailchimp"], [], "https://admin.mailchimp.com/account/api/", None;
    "Brevo", ["brevo"], [], "https://app.brevo.com/settings/keys/api", None;
    "HubSpot", ["zendesk-intercom-hubspot"], ["pat-"], "https://app.hubspot.com", None;
    "Mapbox", ["maps-and-places"], ["sk."], "https://account.mapbox.com/access-tokens/", None;
    "Stripe", ["stripe", "stripe-webhook"], [], "https://dashboard.stripe.com/apikeys", None;
    "Square", ["square"], [], "https://developer.squareup.com/apps", None;
    "PayPal", ["paypal-braintree"], [], "https://developer.paypal.com/dashboard/applications", None;
    "Shopify", ["shopify"], [], "https://admin.shopify.com", None;
    "Plaid", ["plaid"], [], "https://dashboard.plaid.com/developers/keys", None;
    "Razorpay", ["razorpay"], [], "https://dashboard.razorpay.com/app/keys", None;
    "Hugging Face", ["hugging-face"], [], "https://huggingface.co/settings/tokens", None;
    "Replicate", ["replicate"], [], "https://replicate.com/account/api-tokens", None;
    "Perplexity", ["perplexity"], [], "https://www.perplexity.ai/account/api/keys", None;
    "NVIDIA", ["nvidia"], [], "https://build.nvidia.com/settings/api-keys", None;
    "Cerebras", ["cerebras"], [], "https://cloud.cerebras.ai", None;
    "Fireworks", ["fireworks"], [], "https://app.fireworks.ai/settings/users/api-keys", None;
    "LangSmith", ["langsmith"], [], "https://smith.langchain.com/settings", None;
    "Langfuse", ["langfuse"], [], "https://cloud.langfuse.com", None;
    "Voyage", ["voyage"], [], "https://dashboard.voyageai.com", None;
    "Tavily", ["tavily"], [], "https://app.tavily.com", None;
    "Jina", ["jina"], [], "https://jina.ai/api-dashboard/", None;
    "Firecrawl", ["firecrawl"], [], "https://www.firecrawl.dev/app/api-keys", None;
    "Pinecone", ["pinecone"], [], "https://app.pinecone.io", None;
    "ElevenLabs", ["elevenlabs"], [], "https://elevenlabs.io/app/settings/api-keys", None;
    "Weights & Biases", ["wandb"], [], "https://wandb.ai/settings", None;
};

/// What to do about a secret whose issuer is unknown, by its kind.
const ADVICE: &[(&str, &str)] = &[
    ("API_KEY", "revoke it at the service that issued it"),
    ("PASSWORD", "change it wherever it is used"),
    ("SECRET", "replace it where it is configured"),
    (
        "PRIVATE_KEY",
        "make a new key pair, and remove the old public key where it is trusted",
    ),
    ("JWT", "end its session, or wait until it expires"),
    ("COOKIE", "sign out of all sessions of the site"),
    ("URL_CREDENTIALS", "change the password of that account"),
    ("CRYPTO_WALLET", "move what it holds to a new wallet"),
];

/// The issuer of a value, by the rule that found it.
pub(super) fn issuer_of(value: &FoundValue<'_>) -> Option<SecretIssuer> {
    let rule = value.finding().rule;
    if let Some((_, name, command)) = PROVIDER_RULES.iter().find(|(known, ..)| *known == rule) {
        return catalog::find(name).map(|provider| SecretIssuer {
            name: provider.title,
            page: provider.key_page,
            command: Some(command),
        });
    }
    let fits = |row: &&IssuerRow| {
        row.rules.contains(&rule)
            && (row.prefixes.is_empty() || row.prefixes.iter().any(|p| value.starts_with(p)))
    };
    ISSUERS.iter().find(fits).map(|row| row.issuer)
}

/// What to do about a secret of this kind.
pub(crate) fn advice_for(kind: &Kind) -> Option<&'static str> {
    ADVICE
        .iter()
        .find(|(known, _)| kind == known)
        .map(|(_, advice)| *advice)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::privacy::{KINDS, Policy, Redactor, token_rule_names};

    #[test]
    fn issuers_name_existing_rules_and_providers() {
        // Found next to another token, and not by rules of the table.
        let mut rules = vec!["aws-secret-behind", "twilio-secret-behind"];
        rules.extend(token_rule_names());
        let named = ISSUERS.iter().flat_map(|row| row.rules);
        let unknown: Vec<_> = named
            .chain(PROVIDER_RULES.iter().map(|(rule, ..)| rule))
            .filter(|rule| !rules.contains(rule))
            .collect();
        assert!(unknown.is_empty(), "{unknown:?}");
        for (_, provider, _) in PROVIDER_RULES {
            assert!(catalog::find(provider).is_some(), "{provider}");
        }
        for (kind, _) in ADVICE {
            assert!(KINDS.iter().any(|(known, _)| known == kind), "{kind}");
        }
    }

    #[test]
    fn issuer_is_told_by_rule_and_prefix() {
        let hex = "0123456789abcdef";
        for (token, issuer) in [
            (format!("sk-or-v1-{}", hex.repeat(4)), "OpenRouter"),
            (format!("sk-ant-api03-{}x", hex.repeat(5)), "Anthropic"),
            (format!("nfp_{}x9Zq", hex.repeat(2)), "Netlify"),
            (format!("rnd_{}x9Zq", hex.repeat(2)), "Render"),
            (format!("ghp_{}x9Zq", hex.repeat(2)), "GitHub"),
        ] {
            let redactor = Redactor::new(&Policy::default()).unwrap();
            let mut stream = redactor.finding_stream();
            let mut found = Vec::new();
            let mut add = |value: FoundValue<'_>| found.push(issuer_of(&value).map(|i| i.name));
            stream.push(token.as_bytes(), &mut add);
            stream.finish(&mut add);
            assert_eq!(found, [Some(issuer)], "{token}");
        }
    }
}
