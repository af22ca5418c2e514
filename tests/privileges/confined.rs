//! What a thread that gave up its rights can still do, tried in threads of the test itself.

use std::fs::{self, File};
use std::io::ErrorKind;
use std::net::{TcpListener, TcpStream};
use std::os::linux::net::SocketAddrExt;
use std::os::unix::net::{SocketAddr, UnixListener, UnixStream};
use std::path::Path;
use std::process::Command;

use flowtop::config::source::Surroundings;
use flowtop::model::privileges::{Landlock, Privileges};
use flowtop::probe::privileges::confine::{Identity, Keeps, confine};

use nix::errno::Errno;
use nix::sys::signal::kill;
use nix::unistd::Pid;

use super::support::{Background, root};
use super::{FREE_NUMBERS, readable_folder, set_mode};

/// Does it in a thread that has only what is kept.
fn confined<T: Send>(keeps: &Keeps, work: impl FnOnce(Privileges) -> T + Send) -> T {
    std::thread::scope(|scope| {
        let thread = scope.spawn(|| work(confine(keeps).expect("confined")));
        thread.join().expect("no panic")
    })
}

fn own_identity() -> Option<Identity> {
    Identity::to_become(None, None).expect("somebody to become")
}

fn is_denied<T>(outcome: std::io::Result<T>) -> bool {
    outcome.is_err_and(|error| error.kind() == ErrorKind::PermissionDenied)
}

#[test]
fn only_what_is_kept_can_be_read_and_written() {
    if !root() {
        return;
    }
    let folder = readable_folder();
    let [read, write, neither] = ["read", "write", "neither"].map(|name| {
        let path = folder.path().join(name);
        fs::create_dir(&path).expect("a folder");
        fs::write(path.join("file"), "text").expect("a file");
        set_mode(&path, 0o777);
        set_mode(&path.join("file"), 0o666);
        path
    });
    let keeps = Keeps {
        readable: vec![read.clone()],
        writable: vec![write.clone()],
        ..Keeps::default()
    };
    confined(&keeps, |privileges| {
        assert_eq!(privileges.landlock, Landlock::Full, "tests need Landlock");
        assert_eq!(fs::read_to_string(read.join("file")).expect("text"), "text");
        assert!(is_denied(File::create(read.join("new"))));
        assert!(is_denied(File::open(neither.join("file"))));
        assert!(is_denied(File::create(neither.join("new"))));
        assert!(is_denied(fs::read_dir(&neither)));
        assert!(is_denied(File::open("/proc/version")));
        // Never read, only made, renamed into place, removed.
        assert!(is_denied(File::open(write.join("file"))));
        fs::write(write.join("new"), "text").expect("write");
        fs::rename(write.join("new"), write.join("file")).expect("rename");
        fs::remove_file(write.join("file")).expect("remove");
    });
    // The test's own thread has lost nothing.
    File::open(neither.join("file")).expect("open");
}

#[test]
fn a_thread_becomes_the_user_alone_and_has_no_capability_left() {
    if !root() {
        return;
    }
    let keeps = Keeps {
        identity: own_identity(),
        ..Keeps::default()
    };
    confined(&keeps, |privileges| {
        let user = nix::unistd::geteuid().as_raw();
        assert!(FREE_NUMBERS.contains(&user), "{user}");
        assert_eq!(privileges.uid, user);
        assert_eq!(privileges.user, user.to_string());
        assert!(privileges.capabilities.is_empty());
        assert!(nix::unistd::getgroups().expect("groups").is_empty());
        // SAFETY: three numbers. Not the C library's setuid(), which would change the other threads, too.
        let back = unsafe { libc::syscall(libc::SYS_setresuid, 0, 0, 0) };
        assert_eq!(back, -1, "there is a way back");
    });
    assert!(nix::unistd::geteuid().is_root(), "the test's own thread");
}

#[test]
fn a_configuration_of_the_superuser_alone_stays_readable_and_nothing_beside_it() {
    if !root() {
        return;
    }
    let folder = tempfile::tempdir().expect("a folder");
    let config = folder.path().join("config.json");
    fs::write(&config, "{}").expect("write");
    set_mode(&config, 0o600);
    let keeps = Keeps {
        identity: own_identity(),
        readable: vec![folder.path().to_owned()],
        files: vec![(config.clone(), "the configuration is the superuser's only")],
        ..Keeps::default()
    };
    confined(&keeps, |privileges| {
        let [(name, why)] = &privileges.capabilities[..] else {
            panic!("{privileges:?}");
        };
        assert_eq!(name, "CAP_DAC_READ_SEARCH");
        assert!(why.contains("configuration"), "{why}");
        assert_eq!(fs::read_to_string(&config).expect("text"), "{}");
        assert!(is_denied(File::create(&config)));
        assert!(is_denied(File::open("/etc/shadow")));
    });
    set_mode(folder.path(), 0o755);
    set_mode(&config, 0o644);
    confined(&keeps, |privileges| {
        assert!(privileges.capabilities.is_empty(), "{privileges:?}");
        fs::read_to_string(&config).expect("text");
    });
}

#[test]
fn where_a_thread_may_not_look_there_is_no_configuration_and_the_next_place_counts() {
    if !root() {
        return;
    }
    let (closed, open) = (tempfile::tempdir().expect("a folder"), readable_folder());
    let surroundings = Surroundings {
        here: closed.path().to_owned(),
        user_folder: Some(closed.path().join("user")),
        system_folder: open.path().to_owned(),
        ..Surroundings::default()
    };
    let keeps = Keeps {
        identity: own_identity(),
        readable: vec![open.path().to_owned()],
        ..Keeps::default()
    };
    let found = || confined(&keeps, |_| surroundings.find());
    assert_eq!(found(), None);
    let folder = open.path().join("flowtop");
    fs::create_dir(&folder).expect("a folder");
    set_mode(&folder, 0o755);
    let file = folder.join("config.json");
    fs::write(&file, "{}").expect("write");
    assert_eq!(found(), Some(file));
    // What is named is what is read, or nothing is.
    let named = Some(closed.path().join("config.json"));
    let surroundings = Surroundings {
        named: named.clone(),
        ..surroundings
    };
    assert_eq!(confined(&keeps, |_| surroundings.find()), named);
}

#[test]
fn connections_are_for_those_who_keep_them() {
    if !root() {
        return;
    }
    let listener = TcpListener::bind("127.0.0.1:0").expect("listen");
    let address = listener.local_addr().expect("an address");
    let another = TcpListener::bind("127.0.0.1:0").expect("listen");
    let other = another.local_addr().expect("an address");
    confined(&Keeps::default(), |_| {
        assert!(is_denied(TcpStream::connect(address)));
        assert!(is_denied(TcpListener::bind("127.0.0.1:0")));
    });
    let keeps = Keeps {
        ports: vec![address.port()],
        ..Keeps::default()
    };
    confined(&keeps, |_| {
        TcpStream::connect(address).expect("connect");
        assert!(is_denied(TcpStream::connect(other)));
    });
}

#[test]
fn the_root_folder_is_never_granted_as_a_whole() {
    if !root() {
        return;
    }
    let keeps = Keeps {
        readable: vec!["/".into()],
        writable: vec!["/".into(), "/proc/..".into()],
        ..Keeps::default()
    };
    confined(&keeps, |_| {
        assert!(is_denied(File::open("/etc/passwd")));
        assert!(is_denied(File::create(Path::new("/tmp").join("never"))));
    });
}

#[test]
fn nobody_outside_of_the_run_is_signalled_or_reached_by_an_abstract_name() {
    if !root() {
        return;
    }
    let name = format!("flowtop-test-{}", std::process::id());
    let name = SocketAddr::from_abstract_name(name).expect("a name");
    let listener = UnixListener::bind_addr(&name).expect("listen");
    let mut command = Command::new("sleep");
    let sleep = Background::spawn(command.arg("60"));
    let other = Pid::from_raw(sleep.0.id() as i32);
    // The same user: nothing else would keep it from that.
    confined(&Keeps::default(), |_| {
        assert!(is_denied(UnixStream::connect_addr(&name)));
        assert_eq!(kill(other, None), Err(Errno::EPERM));
        kill(Pid::this(), None).expect("a signal to itself");
    });
    UnixStream::connect_addr(&name).expect("connect");
    kill(other, None).expect("a signal");
    drop(listener);
}
