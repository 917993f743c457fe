//! The configuration that a first run leaves behind.

use std::fmt::Write as _;

use url::Url;

use crate::ids::{Name, VaultId};

/// What a starter file is made of. Everything that is `None` is left out or written as a
/// comment that shows how it is added.
#[derive(Debug, Clone, Copy)]
pub struct Starter<'a> {
    /// The repository to back up.
    pub repository: Option<StarterRepository<'a>>,
    /// Name and address (`s3://…` or `file:///…`) of each replica.
    pub replicas: &'a [(Name, Url)],
    /// The vault's id and its root key (a minisign public key), as `init` made them.
    pub pins: Option<(VaultId, &'a str)>,
    /// Keys and their files, relative to the configuration: `("operator", "…/operator.txt")`.
    pub keys: &'a [(&'a str, &'a str)],
}

/// The repository of a [`Starter`].
#[derive(Debug, Clone, Copy)]
pub struct StarterRepository<'a> {
    /// Its name on the command line.
    pub name: &'a Name,
    /// Prismic's repository (domain) name.
    pub repository: &'a str,
    /// Environment variable that holds the token of the Content API, when one was given.
    pub access_token_env: Option<&'a str>,
    /// Environment variable that holds the write token, when one was given.
    pub write_token_env: Option<&'a str>,
    /// Addresses that are not Prismic's own: `("content_api", …)`.
    pub endpoints: &'a [(&'a str, &'a Url)],
}

impl Starter<'_> {
    /// Renders a commented file that [`Config::load`](super::Config::load) accepts.
    pub fn render(&self) -> String {
        let mut text = String::from(
            "# Configuration of prismvault. Secrets are never values in this file: write\n\
             # { env = \"NAME\" }, { file = \"PATH\" } or { command = [\"PROGRAM\", \"ARGUMENT\"] }.\n\n",
        );
        match &self.repository {
            Some(repository) => repository.render(&mut text),
            None => text.push_str(
                "# [repositories.blog]                  # the name used on the command line\n\
                 # repository = \"acme-blog\"             # Prismic's repository (domain) name\n\
                 # access_token = { env = \"PRISMIC_ACCESS_TOKEN\" }   # open repositories need none\n\
                 # write_token = { env = \"PRISMIC_WRITE_TOKEN\" }     # media library and models\n\
                 # contacts = [\"Dora, +49 30 0000000\"] # whom to call when it is lost\n",
            ),
        }
        text.push('\n');
        match self.pins {
            Some((id, root)) => text.push_str(&pin_lines(id, root)),
            None => text.push_str(
                "# [vault]                              # id and root are printed by `prismvault init`\n",
            ),
        }
        text.push_str(
            "# min_copies = 2                       # replicas that must hold a snapshot before it counts\n\n\
             # [retention]                          # without it every snapshot is kept\n\
             # keep_daily = 14\n\
             # keep_weekly = 8\n\
             # keep_monthly = 12\n\
             # min_snapshots = 7\n",
        );
        if !self.keys.is_empty() {
            text.push_str("\n[keys]\n");
            for (key, file) in self.keys {
                let about = match *key {
                    "operator" => "reads catalogs; stays on this machine",
                    "signing" => "signs snapshots; stays on this machine",
                    "recovery" => "reads content; move it elsewhere, without it no backup can be read",
                    "root" => "changes who is trusted; move it elsewhere",
                    _ => "",
                };
                let comment = if about.is_empty() { String::new() } else { format!("  # {about}") };
                line(&mut text, format_args!("{key} = {{ file = {} }}{comment}", quoted(file)));
            }
        }
        for (name, url) in self.replicas {
            text.push_str("\n[[replicas]]\n");
            line(&mut text, format_args!("name = {}", quoted(name.as_str())));
            line(&mut text, format_args!("url = {}", quoted(url.as_str())));
        }
        if self.replicas.len() < 2 {
            text.push_str(
                "\n# A backup has a second copy, elsewhere and under another account:\n\
                 # [[replicas]]\n\
                 # name = \"frankfurt\"\n\
                 # url = \"s3://bucket/prefix\"\n\
                 # region = \"eu-central-1\"\n\
                 # object_lock = { mode = \"governance\", days = 14 }   # for a bucket with Object Lock\n",
            );
        }
        text
    }
}

impl StarterRepository<'_> {
    fn render(&self, text: &mut String) {
        // A name may hold a dot, a bare key may not.
        let name = self.name.as_str();
        let key = if name.contains('.') { quoted(name) } else { name.to_owned() };
        line(text, format_args!("[repositories.{key}]"));
        line(text, format_args!("repository = {}", quoted(self.repository)));
        for (key, variable, suggestion, about) in [
            ("access_token", self.access_token_env, "PRISMIC_ACCESS_TOKEN", "open repositories need none"),
            ("write_token", self.write_token_env, "PRISMIC_WRITE_TOKEN", "for media library and models"),
        ] {
            match variable {
                Some(variable) => line(text, format_args!("{key} = {{ env = {} }}", quoted(variable))),
                None => line(text, format_args!("# {key} = {{ env = {} }}  # {about}", quoted(suggestion))),
            }
        }
        line(text, format_args!("# contacts = [\"Dora, +49 30 0000000\"]  # whom to call when it is lost"));
        for (key, url) in self.endpoints {
            line(text, format_args!("{key} = {}", quoted(url.as_str())));
        }
    }
}

/// Returns the lines that pin a vault in the configuration of a client: without them it trusts
/// what it saw first.
pub fn pin_lines(id: VaultId, root: &str) -> String {
    format!("[vault]\nid = \"{id}\"\nroot = {}\n", quoted(root))
}

fn line(text: &mut String, content: std::fmt::Arguments<'_>) {
    writeln!(text, "{content}").expect("writing to a String cannot fail");
}

/// Quotes as a basic string of TOML 1.0.
fn quoted(text: &str) -> String {
    let mut quoted = String::with_capacity(text.len() + 2);
    quoted.push('"');
    for char in text.chars() {
        match char {
            '"' | '\\' => quoted.extend(['\\', char]),
            char if char.is_control() => {
                write!(quoted, "\\u{:04X}", u32::from(char)).expect("writing to a String cannot fail");
            }
            char => quoted.push(char),
        }
    }
    quoted.push('"');
    quoted
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_is_quoted_so_that_toml_reads_it_back() {
        for text in ["", "plain", "a \"b\" \\c", "tab\tline\nbell\u{7}delete\u{7f}", "größe"] {
            let read: toml::Table = toml::from_str(&format!("key = {}", quoted(text))).unwrap();
            assert_eq!(read["key"].as_str(), Some(text));
        }
    }
}
