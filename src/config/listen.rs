//! Where metrics are served: `[ADDRESS:]PORT`, so that file and command line agree; the files of TLS; and users.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};

use bcrypt::HashParts;
use jsonc_parser::ast::{Object, Value};

use super::diagnostic::excerpt;
use super::json::JsonValue;
use super::kind::{ValueKind, described};
use super::walk::{Walk, quoted};

/// Reads `[ADDRESS:]PORT`; without an address it is loopback's. The error says what would be right.
pub fn read(text: &str) -> Result<SocketAddr, String> {
    let port = |digits: &str| {
        let is_number = digits.bytes().all(|byte| byte.is_ascii_digit());
        let port = digits.parse().ok().filter(|port| is_number && *port > 0);
        port.ok_or_else(|| format!("{} is not a port from 1 to 65535", quoted(digits)))
    };
    let Some((address, digits)) = text.rsplit_once(':') else {
        return Ok((Ipv4Addr::LOCALHOST, port(text)?).into());
    };
    let inside = address.strip_prefix('[').and_then(|a| a.strip_suffix(']'));
    let address: Option<IpAddr> = match inside {
        Some(inside) => inside.parse().ok().filter(IpAddr::is_ipv6),
        None => address.parse().ok().filter(IpAddr::is_ipv4),
    };
    let address = address.ok_or_else(|| {
        format!(
            "expected [ADDRESS:]PORT such as 9788, 192.0.2.1:9788 or [2001:db8::1]:9788, got {}",
            quoted(text)
        )
    })?;
    Ok((address, port(digits)?).into())
}

/// `[ADDRESS:]PORT`, or the port as a number.
pub(super) struct ListenAddress;

impl ValueKind for ListenAddress {
    type Parsed = SocketAddr;

    fn read(&self, walk: &mut Walk<'_>, key: &str, value: &Value<'_>) -> Option<SocketAddr> {
        let text = match value {
            Value::NumberLit(number) => number.value,
            other => &walk.string(key, other)?.value,
        };
        read(text)
            .map_err(|error| walk.report(value, format!("{key}: {error}")))
            .ok()
    }

    fn write(&self, address: &SocketAddr) -> JsonValue {
        match address.ip() == Ipv4Addr::LOCALHOST {
            true => u32::from(address.port()).into(),
            false => address.to_string().into(),
        }
    }

    fn schema(&self) -> JsonValue {
        let kinds = ["string", "integer"].into_iter().collect();
        JsonValue::object([
            ("type", kinds),
            ("minimum", 1.into()),
            ("maximum", 65535.into()),
        ])
    }
}

/// The files of TLS, in PEM.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TlsFiles {
    /// Certificates of the server: its own one first, then those up to one that clients trust.
    pub certificate: PathBuf,
    /// The key of the first certificate.
    pub key: PathBuf,
    /// Certificates of those who have to have signed a client's; `None`: clients need no certificate.
    pub client_ca: Option<PathBuf>,
}

impl TlsFiles {
    /// All of them.
    pub fn paths(&self) -> impl Iterator<Item = &Path> {
        let files = [
            Some(&self.certificate),
            Some(&self.key),
            self.client_ca.as_ref(),
        ];
        files.into_iter().flatten().map(PathBuf::as_path)
    }
}

/// The keys of such an object, and what each is for.
const TLS_KEYS: [(&str, &str); 3] = [
    (
        "CERTIFICATE",
        "file of the server's certificates (PEM), its own one first",
    ),
    ("KEY", "file of its key (PEM)"),
    (
        "CLIENT_CA",
        "file of certificates (PEM); clients need one that was signed by one of them",
    ),
];

/// An object of files.
pub(super) struct Tls;

impl Tls {
    fn path(walk: &mut Walk<'_>, key: &str, name: &str, object: &Object<'_>) -> Option<PathBuf> {
        let path = format!("{key}.{name}");
        let value = &object.get(name)?.value;
        let text = &walk.string(&path, value)?.value;
        let is_absolute = Path::new(&**text).is_absolute();
        if !is_absolute {
            walk.report(
                value,
                format!("{path}: expected an absolute path, got {}", quoted(text)),
            );
        }
        is_absolute.then(|| PathBuf::from(&**text))
    }
}

impl ValueKind for Tls {
    type Parsed = TlsFiles;

    fn read(&self, walk: &mut Walk<'_>, key: &str, value: &Value<'_>) -> Option<TlsFiles> {
        let Value::Object(object) = value else {
            walk.wrong_type(key, value, "an object of files");
            return None;
        };
        walk.check_keys(&format!("{key}: "), object, &TLS_KEYS.map(|(name, _)| name));
        for (name, _) in &TLS_KEYS[..2] {
            if object.get(name).is_none() {
                walk.report(value, format!("{key}: \"{name}\" is missing"));
            }
        }
        let [certificate, tls_key, client_ca] =
            TLS_KEYS.map(|(name, _)| Tls::path(walk, key, name, object));
        Some(TlsFiles {
            certificate: certificate?,
            key: tls_key?,
            client_ca,
        })
    }

    fn write(&self, files: &TlsFiles) -> JsonValue {
        let text = |path: &Path| JsonValue::from(path.display().to_string());
        let object = JsonValue::object([
            ("CERTIFICATE", text(&files.certificate)),
            ("KEY", text(&files.key)),
        ]);
        match &files.client_ca {
            Some(path) => object.and(JsonValue::object([("CLIENT_CA", text(path))])),
            None => object,
        }
    }

    fn schema(&self) -> JsonValue {
        let file = |help| described(help, JsonValue::object([("type", "string".into())]));
        let files = TLS_KEYS.map(|(name, help)| (name, file(help)));
        JsonValue::object([
            ("type", "object".into()),
            ("properties", JsonValue::object(files)),
            ("required", ["CERTIFICATE", "KEY"].into_iter().collect()),
            ("additionalProperties", false.into()),
        ])
    }
}

/// Users at most.
const MOST_USERS: usize = 100;

/// A hash that takes longer to check would hold up the others, log2 of the rounds.
const MOST_COST: u32 = 12;

/// An object: name -> hash of the password, as bcrypt makes it.
pub(super) struct Users;

impl ValueKind for Users {
    type Parsed = Vec<(String, String)>;

    fn read(&self, walk: &mut Walk<'_>, key: &str, value: &Value<'_>) -> Option<Self::Parsed> {
        let mut users = Vec::new();
        for property in walk.object(key, value)? {
            let name = property.name.as_str();
            let path = format!("{key}.{}", excerpt(name));
            if name.is_empty() || name.contains(|c: char| c == ':' || c.is_control()) {
                walk.report(
                    property,
                    format!("{path}: a user has a printable name without a colon"),
                );
            }
            if users.len() == MOST_USERS {
                walk.report(
                    property,
                    format!("{key}: at most {MOST_USERS} users are possible"),
                );
                break;
            }
            let Some(hash) = walk.string(&path, &property.value) else {
                continue;
            };
            match hash.value.parse::<HashParts>() {
                Ok(parts) if parts.get_cost() <= MOST_COST => {
                    users.push((name.to_owned(), hash.value.to_string()));
                }
                Ok(parts) => walk.report(
                    &property.value,
                    format!(
                        "{path}: a cost of {} takes too long, at most {MOST_COST} are possible",
                        parts.get_cost()
                    ),
                ),
                Err(_) => walk.report(
                    &property.value,
                    format!(
                        "{path}: expected a hash of bcrypt, $2y$10$..., as htpasswd -nB makes it"
                    ),
                ),
            }
        }
        Some(users)
    }

    fn write(&self, users: &Self::Parsed) -> JsonValue {
        JsonValue::object(
            users
                .iter()
                .map(|(name, hash)| (&**name, hash.as_str().into())),
        )
    }

    fn schema(&self) -> JsonValue {
        let hash = JsonValue::object([("type", "string".into())]);
        JsonValue::object([("type", "object".into()), ("additionalProperties", hash)])
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_port_alone_is_loopbacks_and_what_is_no_address_is_told() {
        for (text, address) in [
            ("9788", "127.0.0.1:9788"),
            ("0.0.0.0:1", "0.0.0.0:1"),
            ("[::]:65535", "[::]:65535"),
            ("[fe80::1]:80", "[fe80::1]:80"),
        ] {
            assert_eq!(
                read(text),
                Ok(address.parse().expect("an address")),
                "{text}"
            );
        }
        for text in [
            "",
            ":",
            "0",
            "65536",
            "+80",
            "-1",
            "80.0",
            ":80",
            "::1:80",
            "[1.2.3.4]:80",
            "host:80",
            "1.2.3.4",
            "[::1]",
            "1.2.3:80",
        ] {
            let error = read(text).expect_err(text);
            assert!(
                error.contains("65535") || error.contains("[ADDRESS:]PORT"),
                "{error}"
            );
        }
    }
}
