//! proptest strategies: cases of rules, a sequence profile, and some hundred frames that hang together.

use flowtop::model::flow::Protocol;
use flowtop::model::rule::{
    ByteOrder, MAX_RULES, PayloadRequirement, Rule, SequenceProfile, SequenceWidth,
};
use ipnet::{IpNet, Ipv4Net, Ipv6Net};
use proptest::collection::vec;
use proptest::option;
use proptest::prelude::*;
use proptest::sample::Index;

use super::packet::Gso;
use super::spec::{
    Conversation, Cut, Damage, Extension, FrameSpec, Network, PayloadSpec, Place, Step, Transport,
    UdpLength,
};

/// Rules, a profile and the frames that meet them.
#[derive(Debug, Clone)]
pub struct Case {
    /// Rules without addresses yet: those depend on the place.
    pub rules: Vec<RuleSpec>,
    /// The global sequence profile.
    pub profile: SequenceProfile,
    /// The first number of each conversation is near this one.
    pub start: u32,
    /// Frames in the order in which they are sent.
    pub frames: Vec<FrameSpec>,
}

/// A rule whose prefixes are hosts of the place with prefix lengths.
#[derive(Debug, Clone)]
pub struct RuleSpec {
    sources: Vec<(bool, u8, u8)>,
    destinations: Vec<(bool, u8, u8)>,
    ports: [Vec<(u16, u16)>; 2],
    protocols: Vec<Protocol>,
    profile: Option<SequenceProfile>,
}

impl RuleSpec {
    /// The rule for a place.
    pub fn at(&self, place: Place, index: usize) -> Rule {
        let nets = |specs: &[(bool, u8, u8)]| specs.iter().map(|spec| net(place, *spec)).collect();
        let ranges = |specs: &[(u16, u16)]| specs.iter().map(|(a, n)| *a..=a + n).collect();
        Rule {
            name: format!("rule{index}"),
            sources: nets(&self.sources),
            destinations: nets(&self.destinations),
            source_ports: ranges(&self.ports[0]),
            destination_ports: ranges(&self.ports[1]),
            protocols: self.protocols.clone(),
            profile: self.profile,
            histogram: false,
            export: 0,
        }
    }
}

/// A prefix around a host, `bits` shorter than the address.
fn net(place: Place, (v6, host, bits): (bool, u8, u8)) -> IpNet {
    if v6 {
        let length = 128 - bits.min(128);
        let net = Ipv6Net::new(place.v6(host).into(), length).expect("at most 128");
        return IpNet::V6(net.trunc());
    }
    let length = 32 - bits.min(32);
    let net = Ipv4Net::new(place.v4(host).into(), length).expect("at most 32");
    IpNet::V4(net.trunc())
}

/// A case of at most so many frames: a few kinds of traffic, each met many times with variations.
pub fn case(frames: usize) -> impl Strategy<Value = Case> {
    let many = vec(rule(), 30..=MAX_RULES);
    let rules = prop_oneof![20 => Just(Vec::new()), 10 => vec(rule(), 1..6), 1 => many];
    let start = prop_oneof![Just(0), Just(u32::MAX - 40), any::<u32>()];
    let kinds = vec(template(), 1..24);
    let picks = vec((any::<Index>(), variation()), 1..=frames);
    (rules, profile(), start, kinds, picks).prop_map(|(rules, profile, start, kinds, picks)| Case {
        rules,
        profile,
        start,
        frames: picks
            .into_iter()
            .map(|(index, variation)| vary(index.get(&kinds), variation))
            .collect(),
    })
}

/// A sequence profile: off, at an offset, behind a pattern.
pub fn profile() -> impl Strategy<Value = SequenceProfile> {
    let pattern = prop_oneof![
        1 => Just(None),
        2 => prop_oneof![
            Just(0xdead_beef_u32), Just(0), Just(1), Just(0x4141_4141), Just(0x0102_0102), any::<u32>()
        ].prop_map(Some),
    ];
    let offset = option::weighted(
        0.8,
        prop_oneof![20 => 0_u16..40, 1 => 0_u16..3000, 1 => any::<u16>()],
    );
    let threshold = prop_oneof![4 => 1_u32..20, 1 => Just(10), 1 => any::<u32>()];
    let width = prop_oneof![3 => Just(SequenceWidth::Bits32), 1 => Just(SequenceWidth::Bits16)];
    let order = prop_oneof![3 => Just(ByteOrder::Big), 1 => Just(ByteOrder::Little)];
    let require = option::weighted(0.1, Just(PayloadRequirement::RtpVersion2));
    (pattern, offset, threshold, width, order, require).prop_map(
        |(pattern, offset, threshold, width, byte_order, require)| SequenceProfile {
            pattern,
            offset,
            threshold: threshold.max(1),
            width,
            byte_order,
            require,
        },
    )
}

/// A rule that matches some of the generated flows.
pub fn rule() -> impl Strategy<Value = RuleSpec> {
    let nets = || {
        vec(
            (
                any::<bool>(),
                0_u8..4,
                prop_oneof![3 => 0_u8..4, 1 => 0_u8..129],
            ),
            0..3,
        )
    };
    let ports = |base: u16| {
        prop_oneof![
            2 => Just(Vec::new()),
            1 => vec(prop_oneof![3 => (base..base + 4, 0_u16..3), 1 => (0_u16..60000, 0_u16..5000)], 1..3),
        ]
    };
    let protocols = vec(proptest::sample::select(Protocol::ALL.to_vec()), 0..3);
    (
        nets(),
        nets(),
        ports(40000),
        ports(5000),
        protocols,
        option::of(profile()),
    )
        .prop_map(
            |(sources, destinations, source_ports, destination_ports, protocols, profile)| {
                RuleSpec {
                    sources,
                    destinations,
                    ports: [source_ports, destination_ports],
                    protocols,
                    profile,
                }
            },
        )
}

/// What the frames of one kind of traffic have in common.
fn template() -> impl Strategy<Value = FrameSpec> {
    let parts = (0_u8..2, tags(), network(), transport(), conversation());
    parts.prop_map(
        |(interface, tags, network, transport, conversation)| FrameSpec {
            interface,
            tags,
            network,
            traffic_class: 0,
            hop_limit: 0,
            transport,
            conversation,
            payload: PayloadSpec::default(),
            step: Step::default(),
            gso: Gso::default(),
            damage: Vec::new(),
        },
    )
}

/// What is special about one frame.
#[derive(Debug, Clone)]
struct Variation {
    marks: (u8, u8),
    flags: u8,
    cut: Option<Cut>,
    payload: PayloadSpec,
    step: Step,
    gso: Gso,
    damage: Vec<Damage>,
}

fn variation() -> impl Strategy<Value = Variation> {
    let flags =
        prop_oneof![24 => Just(0_u8), 2 => Just(1), 1 => Just(2), 1 => Just(4), 1 => 0_u8..8];
    let cut = option::weighted(0.06, cut());
    (marks(), flags, cut, payload(), step(), gso(), damage()).prop_map(
        |(marks, flags, cut, payload, step, gso, damage)| Variation {
            marks,
            flags,
            cut,
            payload,
            step,
            gso,
            damage,
        },
    )
}

/// One frame by itself.
pub fn frame_spec() -> impl Strategy<Value = FrameSpec> {
    (template(), variation()).prop_map(|(template, variation)| vary(&template, variation))
}

fn vary(template: &FrameSpec, variation: Variation) -> FrameSpec {
    let mut spec = template.clone();
    if let Transport::Tcp(flags, _) = &mut spec.transport {
        *flags = variation.flags;
    }
    spec.transport = match (&spec.network, spec.transport) {
        // Mostly the ICMP of the family.
        (Network::V6(_), Transport::Icmp(kind, 0)) => Transport::Icmpv6(kind, 0),
        (Network::V4(..), Transport::Icmpv6(kind, 0)) => Transport::Icmp(kind, 0),
        (_, transport) => transport,
    };
    match (&mut spec.network, variation.cut) {
        (Network::V4(_, place, _), Some(cut)) => *place = Some(cut),
        (Network::V6(chain), Some(cut)) => chain.push(Extension::Fragment(cut)),
        _ => {}
    }
    // No kernel makes aggregates of ICMP, and nothing says where their numbers would be.
    let gso = match spec.transport {
        Transport::Icmp(..) | Transport::Icmpv6(..) => Gso::default(),
        _ => variation.gso,
    };
    let (traffic_class, hop_limit) = variation.marks;
    FrameSpec {
        traffic_class,
        hop_limit,
        payload: variation.payload,
        step: variation.step,
        gso,
        damage: variation.damage,
        ..spec
    }
}

/// Traffic class and hop limit: mostly those of the packet before.
fn marks() -> impl Strategy<Value = (u8, u8)> {
    let class = prop_oneof![6 => Just(0_u8), 3 => 0_u8..4, 2 => Just(0xb8), 1 => any::<u8>()];
    let hops = prop_oneof![12 => Just(64_u8), 3 => 61_u8..64, 1 => any::<u8>()];
    (class, hops)
}

fn tags() -> impl Strategy<Value = Vec<(bool, u16)>> {
    let tag = (any::<bool>(), prop_oneof![6 => 1_u16..3, 1 => 0_u16..4096]);
    prop_oneof![4 => Just(Vec::new()), 1 => vec(tag, 1..4)]
}

fn conversation() -> impl Strategy<Value = Conversation> {
    (0_u8..3, 0_u8..3, 0_u8..2, 0_u8..2).prop_map(
        |(source, destination, source_port, destination_port)| Conversation {
            source,
            destination,
            source_port,
            destination_port,
        },
    )
}

fn network() -> impl Strategy<Value = Network> {
    let options = prop_oneof![4 => Just(0_u8), 1 => 1_u8..11];
    let ah = (0_u8..20).prop_map(Extension::Authentication);
    let chain4 = prop_oneof![12 => Just(Vec::new()), 1 => vec(ah, 1..10)];
    let chain6 = prop_oneof![3 => Just(Vec::new()), 2 => vec(extension(), 1..4), 1 => vec(extension(), 4..11)];
    prop_oneof![
        12 => (options, chain4).prop_map(|(options, chain)| Network::V4(options, None, chain)),
        10 => chain6.prop_map(Network::V6),
        1 => prop_oneof![Just(0x0806), Just(0x88cc), Just(0x8864), Just(46), any::<u16>()].prop_map(Network::Type),
    ]
}

fn cut() -> impl Strategy<Value = Cut> {
    let offset = prop_oneof![1 => Just(0_u16), 1 => 1_u16..8192];
    (offset, any::<bool>(), 0_u8..4).prop_map(|(offset, more, id)| Cut { offset, more, id })
}

fn extension() -> impl Strategy<Value = Extension> {
    let plain = proptest::sample::select(vec![0_u8, 43, 60, 135]);
    let units = prop_oneof![8 => 0_u8..4, 1 => 0_u8..30];
    prop_oneof![
        6 => (plain, units).prop_map(|(number, units)| Extension::Plain(number, units)),
        1 => (0_u8..12).prop_map(Extension::Authentication),
        2 => cut().prop_map(Extension::Fragment),
    ]
}

fn transport() -> impl Strategy<Value = Transport> {
    let options = prop_oneof![3 => Just(0_u8), 1 => 0_u8..11];
    let length = prop_oneof![
        12 => Just(UdpLength::Right),
        1 => prop_oneof![Just(0_u16), 0_u16..12, 0_u16..200, any::<u16>()].prop_map(UdpLength::Says),
    ];
    let kind = || prop_oneof![6 => Just(0_u8), 6 => Just(8), 3 => Just(128), 3 => Just(129), 3 => 10_u8..20, 1 => any::<u8>()];
    let code = || prop_oneof![6 => Just(0_u8), 1 => 0_u8..4];
    let raw = prop_oneof![
        Just(50_u8),
        Just(59),
        Just(47),
        Just(132),
        Just(4),
        Just(41),
        any::<u8>()
    ];
    prop_oneof![
        8 => options.prop_map(|options| Transport::Tcp(0, options)),
        8 => length.prop_map(Transport::Udp),
        3 => (kind(), code()).prop_map(|(k, c)| Transport::Icmp(k, c)),
        3 => (kind(), code()).prop_map(|(k, c)| Transport::Icmpv6(k, c)),
        1 => raw.prop_map(Transport::Raw),
    ]
}

fn payload() -> impl Strategy<Value = PayloadSpec> {
    let length = prop_oneof![1 => Just(0_u16), 1 => Just(1), 4 => 0_u16..64, 8 => 20_u16..200, 1 => 0_u16..1500];
    let at = || prop_oneof![4 => 0_u16..40, 1 => 0_u16..1500];
    let places = (option::weighted(0.9, at()), option::weighted(0.1, at()));
    (length, places, any::<u8>()).prop_map(|(length, (pattern_at, again_at), filler)| PayloadSpec {
        length,
        pattern_at,
        again_at,
        filler,
    })
}

fn step() -> impl Strategy<Value = Step> {
    let borders = proptest::sample::select(vec![
        64_i32,
        65,
        66,
        63,
        100,
        101,
        102,
        99,
        95,
        96,
        97,
        1023,
        1024,
        1025,
        1026,
        2999,
        3000,
        3001,
        1 << 24,
        (1 << 24) + 1,
        (1 << 24) - 1,
    ]);
    // Few enough that a second series is met again, and goes on where the first one does.
    let others = proptest::sample::select(vec![
        -(1 << 25),
        -5000,
        -1500,
        -150,
        150,
        1500,
        5000,
        1 << 25,
    ]);
    let distance = prop_oneof![
        24 => Just(0_i32),
        8 => -4_i32..4,
        4 => -70_i32..70,
        6 => (others, -2_i32..3).prop_map(|(d, by)| d + by),
        2 => (borders, any::<bool>()).prop_map(|(d, back)| if back { -d } else { d }),
        1 => any::<i32>(),
    ];
    (
        distance,
        any::<bool>(),
        prop_oneof![3 => Just(true), 1 => Just(false)],
    )
        .prop_map(|(distance, scaled, follow)| Step {
            distance,
            scaled,
            follow,
        })
}

fn gso() -> impl Strategy<Value = Gso> {
    prop_oneof![
        10 => Just(Gso::default()),
        1 => (0_u32..40, 20_u32..1500).prop_map(|(segs, size)| Gso { segs, size }),
        1 => (20_u32..200).prop_map(|size| Gso { segs: 0, size }),
    ]
}

fn damage() -> impl Strategy<Value = Vec<Damage>> {
    let one = prop_oneof![
        2 => prop_oneof![Just(60_u16), 0_u16..400].prop_map(Damage::Pad),
        4 => (any::<u16>(), any::<bool>()).prop_map(|(at, mend)| Damage::Truncate(at, mend)),
        3 => (any::<u16>(), any::<u8>()).prop_map(|(at, bits)| Damage::Flip(at, bits)),
        1 => prop_oneof![0x40_u8..0x50, any::<u8>()].prop_map(Damage::FirstByte),
        1 => prop_oneof![Just(0_u16), 0_u16..100, any::<u16>()].prop_map(Damage::IpLength),
        2 => any::<i8>().prop_map(Damage::IpLengthBy),
    ];
    prop_oneof![6 => Just(Vec::new()), 1 => vec(one, 1..3)]
}
