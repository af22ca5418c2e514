//! What a tracker knows beyond its readings, as bytes: a key frame has it beside them.

use std::sync::Arc;

use super::bytes::{Bad, Input, put, put_text};
use super::flows::{flows, put_flows};
use super::frame::{CARRIES_MORE, put_slots, read_slots};
use super::histograms::{histogram, put_histogram};
use super::interfaces::{interfaces, put_interfaces};
use super::known_flows::KnownFlows;
use crate::model::counts::{Counts, TableCounts};
use crate::model::snapshot::{FlowSample, InterfaceSample};
use crate::model::tracker::{Carried, CarriedFlow, CarriedInterface, CarriedRule};

const MOST_RULES: u64 = 255;
const MOST_FLOWS: u64 = super::entry::MOST_SLOTS;

/// Appends it.
pub fn put_carried(out: &mut Vec<u8>, carried: &Carried) {
    let Carried {
        interfaces,
        rules,
        flows,
        table,
        step_began_ns,
        in_aggregates,
    } = carried;
    let of_all = |what: fn(&CarriedInterface) -> &InterfaceSample| {
        let samples: Vec<InterfaceSample> = interfaces.iter().map(what).cloned().collect();
        samples
    };
    put_interfaces(out, &of_all(|it| &it.counted), &[]);
    put_interfaces(out, &of_all(|it| &it.baseline), &[]);
    for of_one in interfaces {
        put_counts(out, &of_one.ended);
        put(out, of_one.is_former.into());
    }
    put(out, rules.len() as u64);
    for rule in rules {
        put_counts(out, &rule.counts);
        put(out, rule.last_match_ns);
        put(out, rule.ended.is_some().into());
        if let Some(ended) = &rule.ended {
            put_histogram(out, ended, None);
        }
    }
    let samples: Vec<FlowSample> = flows.iter().zip(0..).map(sample_of).collect();
    put_flows(out, &samples, 0, &KnownFlows::default());
    for flow in flows {
        put(
            out,
            u64::from(flow.rule.is_some()) + u64::from(flow.is_in_force),
        );
        if let Some(rule) = &flow.rule {
            put_text(out, rule);
        }
    }
    let TableCounts {
        evicted,
        insert_failures,
        contended,
    } = *table;
    [evicted, insert_failures, contended]
        .iter()
        .for_each(|count| put(out, *count));
    if let Some(began_ns) = step_began_ns {
        put(out, CARRIES_MORE);
        put(out, *began_ns);
        put_slots(out, in_aggregates);
    }
}

/// Reads it.
pub fn read_carried(input: &mut Input<'_>) -> Result<Carried, Bad> {
    let interfaces = read_interfaces(input)?;
    let rules = (0..input.up_to(MOST_RULES)?).map(|_| {
        Ok(CarriedRule {
            counts: counts(input)?,
            last_match_ns: input.number()?,
            ended: match input.up_to(1)? {
                0 => None,
                _ => Some(histogram(input, None)?),
            },
        })
    });
    let rules = rules.collect::<Result<_, Bad>>()?;
    let samples = flows(input, MOST_FLOWS, 0, &KnownFlows::default())?;
    let flows = samples.into_iter().map(|sample| {
        let FlowSample {
            key,
            counts,
            epoch: jitter_epochs,
            first_seen_ns,
            last_seen_ns,
            ..
        } = sample;
        let told = input.up_to(2)?;
        let rule = match told {
            0 => None,
            _ => Some(Arc::from(input.name()?)),
        };
        Ok(CarriedFlow {
            key,
            counts,
            jitter_epochs,
            first_seen_ns,
            last_seen_ns,
            rule,
            is_in_force: told == 2,
        })
    });
    let carried = Carried {
        interfaces,
        rules,
        flows: flows.collect::<Result<_, Bad>>()?,
        table: TableCounts {
            evicted: input.number()?,
            insert_failures: input.number()?,
            contended: input.number()?,
        },
        ..Carried::default()
    };
    read_more(input, carried)
}

/// Reads what older recordings have not got: in these, an entry comes next.
fn read_more(input: &mut Input<'_>, carried: Carried) -> Result<Carried, Bad> {
    let mut more = *input;
    if more.number() != Ok(CARRIES_MORE) {
        return Ok(carried);
    }
    *input = more;
    Ok(Carried {
        step_began_ns: Some(input.number()?),
        in_aggregates: read_slots(input, MOST_FLOWS)?,
        ..carried
    })
}

fn read_interfaces(input: &mut Input<'_>) -> Result<Vec<CarriedInterface>, Bad> {
    let counted = interfaces(input, &[])?;
    let baselines = interfaces(input, &[])?;
    if counted.len() != baselines.len() {
        return Err(Bad("an interface lacks its baseline"));
    }
    let mut of_one = |(counted, baseline)| {
        Ok(CarriedInterface {
            counted,
            baseline,
            ended: counts(input)?,
            is_former: input.up_to(1)? == 1,
        })
    };
    let pairs = counted.into_iter().zip(baselines);
    pairs.map(&mut of_one).collect()
}

/// The flow as if it were one of the table, with these totals.
fn sample_of((flow, slot): (&CarriedFlow, u32)) -> FlowSample {
    FlowSample {
        generation: 0,
        counts: flow.counts,
        epoch: flow.jitter_epochs,
        first_seen_ns: flow.first_seen_ns,
        last_seen_ns: flow.last_seen_ns,
        ..FlowSample::new(slot, flow.key)
    }
}

/// Of many flows: packets, bytes, payload; what does not add up over them is not there.
fn put_counts(out: &mut Vec<u8>, counts: &Counts) {
    let Counts {
        packets,
        bytes,
        payload_bytes,
        sequence: _,
        ip: _,
    } = *counts;
    [packets, bytes, payload_bytes]
        .iter()
        .for_each(|count| put(out, *count));
}

fn counts(input: &mut Input<'_>) -> Result<Counts, Bad> {
    Ok(Counts {
        packets: input.number()?,
        bytes: input.number()?,
        payload_bytes: input.number()?,
        ..Counts::default()
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_an_older_recording_does_not_say_is_not_known() {
        let newer = Carried {
            step_began_ns: Some(77),
            in_aggregates: vec![0, 3, 900],
            ..Carried::default()
        };
        for carried in [newer, Carried::default()] {
            let mut bytes = Vec::new();
            put_carried(&mut bytes, &carried);
            // The entry behind it.
            put(&mut bytes, 4);
            let mut input = Input(&bytes);
            assert_eq!(read_carried(&mut input), Ok(carried));
            assert_eq!(input.number(), Ok(4));
        }
    }
}
