//! Clusters from options and result files.

use std::path::{Path, PathBuf};

use rewit::measure::Link;
use rewit::model::cluster::{
    Aggregation, Cluster, Group, LinkCost, Loss, Placement, with_machines,
};
use rewit::model::{Costs, Quantity};
use rewit::report::{AnyFile, costs};
use rewit::{Error, Result};

use super::{Aggregate, ClusterArgs, Joins};
use crate::cli::model;
use crate::cli::model::note::read;
use crate::cli::model::parse::{LinkArg, LossArg};

/// Machines of one kind.
struct Machines {
    name: String,
    /// How many, if that was given.
    count: Option<u64>,
    speed: f64,
    /// What one takes, for each guest, backend and size of segment.
    costs: Vec<Costs>,
    link: Option<Link>,
}

impl Machines {
    /// - `own`: a profile given beside the other files; those bring it costs of folding, not machines of their own.
    fn new(
        name: String,
        count: Option<u64>,
        speed: f64,
        own: Option<AnyFile>,
        others: &[AnyFile],
    ) -> Result<Self> {
        let of_profile = own
            .as_ref()
            .and_then(|own| costs(std::slice::from_ref(own)).ok());
        let files: Vec<AnyFile> = own.into_iter().chain(others.iter().cloned()).collect();
        let mut costs = costs(&files)?;
        if let Some(of_profile) = of_profile {
            costs.truncate(of_profile.len());
        }
        let link = files.iter().find_map(|file| file.link().cloned());
        Ok(Self {
            name,
            count,
            speed,
            costs,
            link,
        })
    }
}

/// The kinds of machines that the options name.
fn machines(args: &ClusterArgs, files: &[PathBuf]) -> Result<Vec<Machines>> {
    let others = files
        .iter()
        .map(|path| read(path))
        .collect::<Result<Vec<_>>>()?;
    if args.profile.is_empty() {
        if others.is_empty() {
            return Err(Error::Usage(
                "nothing to model; give result files (rewit run --out FILE) as FILE or --profile FILE, or --note"
                    .to_owned(),
            ));
        }
        // The files are one machine's.
        let workers = Machines::new("workers".to_owned(), None, 1.0, None, &others)?;
        return Ok(vec![workers]);
    }
    let counted = args
        .profile
        .iter()
        .filter(|profile| profile.count.is_some());
    let counted = counted.count();
    if counted != 0 && counted != args.profile.len() {
        return Err(Error::Usage(
            "some --profile have a :COUNT and some have not; give all of them one, or none and --machines"
                .to_owned(),
        ));
    }
    let machines = args.profile.iter().map(|profile| {
        let path = Path::new(&profile.path);
        let stem = path
            .file_stem()
            .map(|name| name.to_string_lossy().into_owned());
        let name = stem.unwrap_or_else(|| profile.path.clone());
        let own = read(path)?;
        Machines::new(name, profile.count, profile.speed, Some(own), &others)
    });
    machines.collect()
}

/// Which of the costs measured are meant.
struct Wanted<'a> {
    guest: &'a str,
    backend: Option<&'a str>,
    aggregate: Aggregate,
}

impl Wanted<'_> {
    fn fits(&self, costs: &Costs) -> bool {
        costs.guest == self.guest && self.backend.is_none_or(|backend| costs.backend == backend)
    }

    /// Whether all is there that the job needs.
    fn usable(&self, costs: &Costs) -> bool {
        match self.aggregate {
            Aggregate::Fold => costs.fold.is_some(),
            _ => costs.proof.is_some(),
        }
    }

    /// Costs of segments of 2^`log_cycles` cycles.
    fn find<'a>(&self, costs: &'a [Costs], log_cycles: u32) -> Option<&'a Costs> {
        let mut fitting = costs
            .iter()
            .filter(|costs| self.fits(costs) && costs.log_cycles == log_cycles);
        fitting
            .clone()
            .find(|costs| self.usable(costs))
            .or_else(|| fitting.next())
    }

    /// Base-2 logarithms of the sizes of segments, that of the job first.
    fn sizes(&self, costs: &[Costs], asked: Option<u32>) -> Result<Vec<u32>> {
        let fitting = || costs.iter().filter(|costs| self.fits(costs));
        let mut sizes: Vec<u32> = fitting().map(|costs| costs.log_cycles).collect();
        if sizes.is_empty() {
            let mut known: Vec<String> = costs
                .iter()
                .map(|costs| format!("{} on {}", costs.guest, costs.backend))
                .collect();
            known.dedup();
            return Err(Error::Usage(format!(
                "no run of guest {} on {} in the first profile; it has {} (--guest, --backend)",
                self.guest,
                self.backend.unwrap_or("any backend"),
                known.join(", ")
            )));
        }
        sizes.sort_unstable_by(|a, b| b.cmp(a));
        sizes.dedup();
        let first = match asked {
            Some(size) if sizes.contains(&size) => size,
            Some(size) => {
                let sizes: Vec<String> = sizes.iter().map(u32::to_string).collect();
                return Err(Error::Usage(format!(
                    "--segment-log-cycles {size} was not measured; the first profile has {}",
                    sizes.join(", ")
                )));
            }
            None => {
                let usable = fitting().filter(|costs| self.usable(costs));
                let largest = usable.map(|costs| costs.log_cycles).max();
                largest.unwrap_or(sizes[0])
            }
        };
        sizes.retain(|&size| size != first);
        sizes.insert(0, first);
        Ok(sizes)
    }
}

/// The cluster at every segment size that all files have, the wanted one first.
pub(super) fn clusters(
    args: &ClusterArgs,
    shared: model::Cluster,
    files: &[PathBuf],
) -> Result<Vec<Cluster>> {
    let machines = machines(args, files)?;
    let costs = &machines[0].costs;
    let wanted = Wanted {
        guest: args.guest.as_deref().unwrap_or(&costs[0].guest),
        backend: args.backend.as_deref(),
        aggregate: args.aggregate,
    };
    let sizes = wanted.sizes(costs, args.segment_log_cycles)?;
    let cycles = whole("--cycles", shared.cycles)?.unwrap_or(1_000_000_000);
    let counted = machines[0].count.is_some();
    let total = whole("--machines", shared.machines)?.or((!counted).then_some(1000));
    let mut found = Vec::new();
    for (i, &size) in sizes.iter().enumerate() {
        let mut groups = Vec::new();
        let mut lacking = None;
        for machines in &machines {
            match wanted.find(&machines.costs, size) {
                Some(costs) => groups.push(group(args, machines, costs)),
                None => lacking = lacking.or(Some(&machines.name)),
            }
        }
        match lacking {
            Some(name) if i == 0 => {
                return Err(Error::Usage(format!(
                    "{name} has no run of guest {} in segments of 2^{size} cycles; give profiles of one guest and size",
                    wanted.guest
                )));
            }
            Some(_) => continue,
            None => {}
        }
        let cluster = cluster(args, cycles, groups, machines[0].link.as_ref())?;
        found.push(match total {
            Some(total) => with_machines(&cluster, total),
            None => cluster,
        });
    }
    Ok(found)
}

fn group(args: &ClusterArgs, machines: &Machines, costs: &Costs) -> Group {
    Group {
        name: machines.name.clone(),
        count: machines.count.unwrap_or(1),
        costs: costs.clone(),
        link: link_cost(args.link, "--link", machines.link.as_ref()),
        speed: machines.speed,
        price: args.price.map(|price| Quantity::declared(price, "--price")),
    }
}

/// - `groups`: of which the first is the executor's kind, too.
/// - `link`: measured on the executor's machine.
fn cluster(
    args: &ClusterArgs,
    cycles: u64,
    groups: Vec<Group>,
    link: Option<&Link>,
) -> Result<Cluster> {
    let executor_flag = match args.executor_link {
        Some(_) => "--executor-link",
        None => "--link",
    };
    let declared = |value: Option<f64>, flag: &str| value.map(|v| Quantity::declared(v, flag));
    Ok(Cluster {
        cycles,
        executor: groups[0].costs.clone(),
        executor_link: link_cost(args.executor_link.or(args.link), executor_flag, link),
        executor_price: groups[0].price.clone(),
        groups,
        encoding: String::new(),
        compression: String::new(),
        aggregation: aggregation(args)?,
        placement: match args.joins {
            Joins::Coordinator => Placement::Coordinator,
            Joins::InPlace => Placement::InPlace,
        },
        stragglers: args.stragglers,
        loss: args.loss.map(|loss| {
            let (per_hour, per_task) = match loss {
                LossArg::PerHour(rate) => (rate, 0.0),
                LossArg::PerTask(part) => (0.0, part),
            };
            Loss {
                per_hour,
                per_task,
                detection_seconds: args.loss_detect,
                replacement_seconds: args.loss_replace,
            }
        }),
        wrap: declared(args.wrap, "--wrap"),
        switch: declared(args.switch, "--switch"),
        egress_price: declared(args.egress_price, "--egress-price"),
        prefetch: args.prefetch,
        seed: args.seed,
        replicates: args.replicates,
    })
}

/// A number that counts something.
fn whole(flag: &str, value: Option<f64>) -> Result<Option<u64>> {
    match value {
        None => Ok(None),
        Some(value) if (1.0..=1e15).contains(&value) && value.fract() == 0.0 => {
            Ok(Some(value as u64))
        }
        Some(value) => Err(Error::Usage(format!(
            "{flag} {value}: expected a whole number from 1 to 1e15"
        ))),
    }
}

fn aggregation(args: &ClusterArgs) -> Result<Aggregation> {
    let given = args.join_seconds.is_some() || args.join_bytes.is_some();
    let Aggregation::Fri {
        join_seconds,
        join_bytes,
    } = Aggregation::published_fri()
    else {
        return Ok(Aggregation::None);
    };
    match args.aggregate {
        Aggregate::Fri => Ok(Aggregation::Fri {
            join_seconds: args
                .join_seconds
                .map_or(join_seconds, |s| Quantity::declared(s, "--join-seconds")),
            join_bytes: args
                .join_bytes
                .map_or(join_bytes, |b| Quantity::declared(b, "--join-bytes")),
        }),
        _ if given => Err(Error::Usage(
            "--join-seconds and --join-bytes are of --aggregate fri; leave them out".to_owned(),
        )),
        Aggregate::None if args.wrap.is_some() => Err(Error::Usage(
            "--wrap is of the final object, which --aggregate none has not; leave one of them out"
                .to_owned(),
        )),
        Aggregate::None if args.joins == Joins::InPlace => Err(Error::Usage(
            "--joins says where two objects are joined, and --aggregate none joins none; leave one of them out"
                .to_owned(),
        )),
        Aggregate::None => Ok(Aggregation::None),
        Aggregate::Fold => Ok(Aggregation::Fold),
    }
}

/// The link given, or that of a file, or a common one.
///
/// - `flag`: where it was given.
fn link_cost(given: Option<LinkArg>, flag: &str, file: Option<&Link>) -> LinkCost {
    let link = file.map_or_else(LinkCost::assumed, LinkCost::of);
    let Some(given) = given else { return link };
    LinkCost {
        bits_per_second: Quantity::declared(given.bits_per_second, flag),
        latency_seconds: given
            .latency_seconds
            .map_or(link.latency_seconds, |s| Quantity::declared(s, flag)),
    }
}
