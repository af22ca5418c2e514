//! Where a static program learns the names of users, groups and hosts.
//!
//! Its C library would load the modules that /etc/nsswitch.conf names. Those were made for the system's own library, and
//! crash in another one (systemd's does), so that the program is kept to what is built into it.
#![allow(unsafe_code)]

/// Keeps name look-ups to files and DNS in a static program, and changes nothing in any other. Before there are threads.
pub fn keep_to_built_in() {
    #[cfg(all(target_env = "gnu", target_feature = "crt-static"))]
    {
        use std::ffi::{c_char, c_int};

        // SAFETY: as glibc declares it in nss.h.
        unsafe extern "C" {
            fn __nss_configure_lookup(database: *const c_char, sources: *const c_char) -> c_int;
        }
        for (database, sources) in [
            (c"passwd", c"files"),
            (c"group", c"files"),
            (c"initgroups", c"files"),
            (c"services", c"files"),
            (c"hosts", c"files dns"),
        ] {
            // SAFETY: two strings that live for ever; the C library refuses a database that it does not know.
            unsafe { __nss_configure_lookup(database.as_ptr(), sources.as_ptr()) };
        }
    }
}
