//! The address that metrics are served at: `[ADDRESS:]PORT`, so that file and command line agree.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};

use jsonc_parser::ast::Value;

use super::json::JsonValue;
use super::kind::ValueKind;
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
