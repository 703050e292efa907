//! Credentials and settings for S3 where AWS's own tools look for them: variables, then the profile files.
//!
//! Secrets are never shown: no message quotes a line of a file, and `Debug` prints none.

use std::collections::BTreeMap;
use std::fmt;
use std::io;
use std::path::{Path, PathBuf};

use rs_cli::Environment;
use rs_core::paths::show;

/// What the environment says of S3.
#[derive(Clone)]
pub struct AwsSettings {
    /// The credentials; `None` for anonymous requests.
    pub credentials: Option<Credentials>,
    /// The region.
    pub region: Option<String>,
    /// URL of the server, as it was written: it may hold a password.
    pub endpoint: Option<String>,
}

/// Without the endpoint.
impl fmt::Debug for AwsSettings {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut shown = f.debug_struct("AwsSettings");
        shown.field("credentials", &self.credentials).field("region", &self.region).finish_non_exhaustive()
    }
}

/// An access key, its secret, and perhaps a session's token.
#[derive(Clone)]
pub struct Credentials {
    keys: rusty_s3::Credentials,
    source: Source,
}

/// Where credentials come from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Source {
    /// Variables.
    Environment,
    /// A profile of a file.
    Profile {
        /// The profile.
        name: String,
        /// The file.
        path: PathBuf,
    },
}

/// Why the user's credentials cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum CredentialsError {
    /// Half of a pair.
    #[error("`{given}` is set, but `{missing}` is not")]
    Half {
        /// The variable or key that is there.
        given: &'static str,
        /// The one that is not.
        missing: &'static str,
    },
    /// Half of a pair in a file.
    #[error("{}: profile `{profile}` has `{given}`, but no `{missing}`", show(path))]
    HalfProfile {
        /// The file.
        path: PathBuf,
        /// The profile.
        profile: String,
        /// The key that is there.
        given: &'static str,
        /// The one that is not.
        missing: &'static str,
    },
    /// The profile is in no file.
    #[error("there is no profile `{profile}` in {}", files.iter().map(|path| show(path)).collect::<Vec<_>>().join(" or "))]
    NoProfile {
        /// What `AWS_PROFILE` says.
        profile: String,
        /// Where it was looked for.
        files: Vec<PathBuf>,
    },
    /// The profile gets its keys in a way that only AWS's tools know.
    #[error(
        "{}: profile `{profile}` uses `{key}`, which only AWS's own tools understand: \
         `eval \"$(aws configure export-credentials --profile {profile} --format env)\"` sets variables instead",
        show(path)
    )]
    Unsupported {
        /// The file.
        path: PathBuf,
        /// The profile.
        profile: String,
        /// The key.
        key: &'static str,
    },
    /// A file is there and cannot be read; the error names it.
    #[error(transparent)]
    Io(#[from] io::Error),
}

/// Ways to credentials that need AWS's own tools.
const UNSUPPORTED: [&str; 5] =
    ["sso_session", "sso_start_url", "credential_process", "role_arn", "web_identity_token_file"];

const KEY_ID: &str = "aws_access_key_id";
const SECRET: &str = "aws_secret_access_key";

impl AwsSettings {
    /// Looks in the environment and in the files that it names.
    ///
    /// # Errors
    /// Credentials are incomplete or of a kind that is not known here, `AWS_PROFILE` names no profile, or a file cannot
    /// be read.
    pub fn of(environment: &Environment) -> Result<Self, CredentialsError> {
        let named = environment.first_text(&["AWS_PROFILE", "AWS_DEFAULT_PROFILE"]);
        let name = named.clone().unwrap_or_else(|| "default".to_owned());
        let file = |variable: &str, usual: &str| {
            environment.path(variable).or_else(|| environment.home().map(|home| home.join(".aws").join(usual)))
        };
        let files = [
            (file("AWS_SHARED_CREDENTIALS_FILE", "credentials"), name.clone()),
            (
                file("AWS_CONFIG_FILE", "config"),
                if name == "default" { name.clone() } else { format!("profile {name}") },
            ),
        ];
        let mut found = Vec::new();
        for (path, section) in &files {
            let Some(path) = path else { continue };
            if let Some(profile) = profile(path, section)? {
                found.push(Profile { name: &name, path, keys: profile });
            }
        }
        let credentials = match of_variables(environment)? {
            Some(credentials) => Some(credentials),
            None => of_profiles(&found)?,
        };
        if let (None, Some(profile), true) = (&credentials, named, found.is_empty()) {
            let files = files.into_iter().filter_map(|(path, _)| path).collect();
            return Err(CredentialsError::NoProfile { profile, files });
        }
        let setting = |key: &str| found.iter().find_map(|profile| profile.keys.get(key).cloned());
        Ok(Self {
            credentials,
            region: environment.first_text(&["AWS_REGION", "AWS_DEFAULT_REGION"]).or_else(|| setting("region")),
            endpoint: environment
                .first_text(&["AWS_ENDPOINT_URL_S3", "AWS_ENDPOINT_URL"])
                .or_else(|| setting("endpoint_url")),
        })
    }
}

impl Credentials {
    /// What signs requests.
    pub(crate) fn keys(&self) -> &rusty_s3::Credentials {
        &self.keys
    }

    /// Where they come from.
    #[must_use]
    pub fn source(&self) -> &Source {
        &self.source
    }

    fn new(id: String, secret: String, token: Option<String>, source: Source) -> Self {
        let keys = match token {
            Some(token) => rusty_s3::Credentials::new_with_token(id, secret, token),
            None => rusty_s3::Credentials::new(id, secret),
        };
        Self { keys, source }
    }
}

/// Without the keys.
impl fmt::Debug for Credentials {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Credentials").field("source", &self.source).finish_non_exhaustive()
    }
}

impl fmt::Display for Source {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Environment => f.write_str("`AWS_ACCESS_KEY_ID`"),
            Self::Profile { name, path } => write!(f, "profile `{name}` of {}", show(path)),
        }
    }
}

fn of_variables(environment: &Environment) -> Result<Option<Credentials>, CredentialsError> {
    let (id, secret) = ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY");
    match (environment.text(id), environment.text(secret)) {
        (Some(id), Some(secret)) => {
            let token = environment.text("AWS_SESSION_TOKEN");
            Ok(Some(Credentials::new(id, secret, token, Source::Environment)))
        }
        (None, None) => Ok(None),
        (Some(_), None) => Err(CredentialsError::Half { given: id, missing: secret }),
        (None, Some(_)) => Err(CredentialsError::Half { given: secret, missing: id }),
    }
}

/// A profile in one of the two files.
struct Profile<'a> {
    name: &'a str,
    path: &'a Path,
    keys: BTreeMap<String, String>,
}

fn of_profiles(profiles: &[Profile<'_>]) -> Result<Option<Credentials>, CredentialsError> {
    for Profile { name, path, keys } in profiles {
        let half = |given, missing| CredentialsError::HalfProfile {
            path: (*path).to_owned(),
            profile: (*name).to_owned(),
            given,
            missing,
        };
        match (keys.get(KEY_ID), keys.get(SECRET)) {
            (Some(id), Some(secret)) => {
                let source = Source::Profile { name: (*name).to_owned(), path: (*path).to_owned() };
                let token = keys.get("aws_session_token").cloned();
                return Ok(Some(Credentials::new(id.clone(), secret.clone(), token, source)));
            }
            (None, None) => {}
            (Some(_), None) => return Err(half(KEY_ID, SECRET)),
            (None, Some(_)) => return Err(half(SECRET, KEY_ID)),
        }
    }
    for Profile { name, path, keys } in profiles {
        if let Some(key) = UNSUPPORTED.into_iter().find(|key| keys.contains_key(*key)) {
            return Err(CredentialsError::Unsupported { path: (*path).to_owned(), profile: (*name).to_owned(), key });
        }
    }
    Ok(None)
}

/// The keys of a section, if file and section are there.
fn profile(path: &Path, section: &str) -> Result<Option<BTreeMap<String, String>>, CredentialsError> {
    match fs_err::read(path) {
        Ok(bytes) => Ok(section_of(&String::from_utf8_lossy(&bytes), section)),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error.into()),
    }
}

/// The keys of a section in AWS's dialect of INI files: indented lines belong to the key before them, `#` and `;` begin
/// comments at the start of a line, nothing is quoted. Lines that cannot be understood are passed over, as AWS does.
///
/// By hand, as crates for INI files take `\` and `;` in secrets for their own, and quote lines in their errors.
fn section_of(text: &str, section: &str) -> Option<BTreeMap<String, String>> {
    let (mut keys, mut is_inside) = (None, false);
    for line in text.trim_start_matches('\u{FEFF}').lines() {
        if line.starts_with([' ', '\t', '#', ';']) {
            continue;
        }
        if let Some(header) = line.strip_prefix('[') {
            let name = header.split(']').next().unwrap_or_default();
            is_inside = name.split_whitespace().eq(section.split_whitespace());
            if is_inside {
                keys.get_or_insert_with(BTreeMap::new);
            }
        } else if let (true, Some(keys), Some((key, value))) = (is_inside, &mut keys, line.split_once('=')) {
            let (key, value) = (key.trim().to_ascii_lowercase(), value.trim());
            if !value.is_empty() {
                keys.insert(key, value.to_owned());
            }
        }
    }
    keys
}

#[cfg(test)]
mod tests {
    use super::*;

    const CREDENTIALS: &str = "\
# mine
[default]
aws_access_key_id = AKDEFAULT
aws_secret_access_key = se/cr+et==;#x

[work]
aws_access_key_id=AKWORK
aws_secret_access_key=worksecret
aws_session_token = worktoken
[half]
aws_access_key_id = AKHALF
not a line
";
    const CONFIG: &str = "\
[default]
region = eu-central-1
s3 =
    region = wrong
[profile work]
region=eu-west-1
endpoint_url = http://127.0.0.1:9000
[profile sso]
sso_session = company
[profile plain]
region = eu-north-1
";

    struct Home(tempfile::TempDir);

    impl Home {
        fn new() -> Self {
            let folder = tempfile::tempdir().expect("a temporary folder");
            let aws = folder.path().join(".aws");
            fs_err::create_dir(&aws).expect("is made");
            fs_err::write(aws.join("credentials"), CREDENTIALS).expect("is written");
            fs_err::write(aws.join("config"), CONFIG).expect("is written");
            Self(folder)
        }

        fn settings(&self, variables: &[(&str, &str)]) -> Result<AwsSettings, CredentialsError> {
            let home = [("HOME".to_owned(), self.0.path().as_os_str().to_owned())];
            let others = variables.iter().map(|(name, value)| ((*name).to_owned(), (*value).into()));
            AwsSettings::of(&Environment::of(home.into_iter().chain(others)))
        }

        /// Access key, secret, token, region.
        #[track_caller]
        fn check(
            &self,
            variables: &[(&str, &str)],
            expected: Option<(&str, &str, Option<&str>)>,
            region: Option<&str>,
        ) {
            let settings = self.settings(variables).expect("is right");
            let keys = settings.credentials.as_ref().map(Credentials::keys);
            assert_eq!(keys.map(|keys| (keys.key(), keys.secret(), keys.token())), expected);
            assert_eq!(settings.region.as_deref(), region);
            let shown = format!("{settings:?}");
            for secret in ["secret", "se/cr", "token", "AK"] {
                assert!(!shown.contains(secret), "{shown}");
            }
        }

        #[track_caller]
        fn check_error(&self, variables: &[(&str, &str)], message: &str) {
            let error = self.settings(variables).expect_err("is wrong");
            assert_eq!(error.to_string().replace(&show(self.0.path()), "~"), message);
            assert!(!format!("{error:?}").contains("secretive"), "{error:?}");
        }
    }

    #[test]
    fn variables_come_before_profiles() {
        let home = Home::new();
        let mine = [("AWS_ACCESS_KEY_ID", "AKMINE"), ("AWS_SECRET_ACCESS_KEY", "mysecret")];
        let default = Some(("AKDEFAULT", "se/cr+et==;#x", None));
        home.check(&[], default, Some("eu-central-1"));
        home.check(&[("AWS_REGION", "r"), ("AWS_DEFAULT_REGION", "s")], default, Some("r"));
        home.check(&mine, Some(("AKMINE", "mysecret", None)), Some("eu-central-1"));
        let work = ("AWS_PROFILE", "work");
        home.check(&[work], Some(("AKWORK", "worksecret", Some("worktoken"))), Some("eu-west-1"));
        home.check(&[mine[0], mine[1], work], Some(("AKMINE", "mysecret", None)), Some("eu-west-1"));
        home.check(
            &[mine[0], mine[1], ("AWS_SESSION_TOKEN", "mytoken")],
            Some(("AKMINE", "mysecret", Some("mytoken"))),
            Some("eu-central-1"),
        );
        home.check(&[("AWS_PROFILE", "plain")], None, Some("eu-north-1"));
        let endpoint = home.settings(&[work]).expect("is right").endpoint;
        assert_eq!(endpoint.as_deref(), Some("http://127.0.0.1:9000"));
        home.check(&[("AWS_SHARED_CREDENTIALS_FILE", "/nowhere"), ("AWS_CONFIG_FILE", "/nowhere")], None, None);
        let settings = AwsSettings::of(&Environment::of::<&str, &str>([])).expect("is right");
        assert!(settings.credentials.is_none());
    }

    #[test]
    fn what_is_missing_is_named() {
        let home = Home::new();
        home.check_error(
            &[("AWS_SECRET_ACCESS_KEY", "secretive")],
            "`AWS_SECRET_ACCESS_KEY` is set, but `AWS_ACCESS_KEY_ID` is not",
        );
        home.check_error(
            &[("AWS_PROFILE", "half")],
            "~/.aws/credentials: profile `half` has `aws_access_key_id`, but no `aws_secret_access_key`",
        );
        home.check_error(
            &[("AWS_PROFILE", "wrok")],
            "there is no profile `wrok` in ~/.aws/credentials or ~/.aws/config",
        );
        home.check_error(
            &[("AWS_PROFILE", "sso")],
            "~/.aws/config: profile `sso` uses `sso_session`, which only AWS's own tools understand: \
             `eval \"$(aws configure export-credentials --profile sso --format env)\"` sets variables instead",
        );
    }
}
