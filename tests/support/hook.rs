//! What is on a TCX hook, asked of the kernel.

use flowtop::netns::Namespace;
use libbpf_rs::libbpf_sys::{self, BPF_TCX_INGRESS, bpf_prog_query_opts};

/// Ids of the programs and links on the TCX ingress hook of a link, in their order.
pub fn programs(namespace: &Namespace, ifindex: u32) -> Vec<(u32, u32)> {
    const MOST: usize = 16;
    let query = || {
        let (mut programs, mut links) = ([0u32; MOST], [0u32; MOST]);
        let mut options = bpf_prog_query_opts {
            sz: size_of::<bpf_prog_query_opts>() as _,
            prog_ids: programs.as_mut_ptr(),
            link_ids: links.as_mut_ptr(),
            ..Default::default()
        };
        options.__bindgen_anon_1.count = MOST as u32;
        // SAFETY: options and both lists outlive the call, and the lists have as many places as it says.
        let outcome = unsafe {
            libbpf_sys::bpf_prog_query_opts(ifindex as i32, BPF_TCX_INGRESS, &mut options)
        };
        assert_eq!(outcome, 0, "ask for the programs on the hook");
        // SAFETY: both members of the union are the same number.
        let count = unsafe { options.__bindgen_anon_1.count } as usize;
        Ok(programs.into_iter().zip(links).take(count).collect())
    };
    namespace.within(query).expect("query")
}
