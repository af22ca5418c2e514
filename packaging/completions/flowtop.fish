# Interfaces, also behind the commas of a list.
function __flowtop_interfaces
    set -l list (string match -r '^.*,' -- (commandline -ct | string replace -r '^(--interface=|-i)' ''))
    for path in /sys/class/net/*/
        echo "$list"(string split -- / $path)[-2]
    end
end

# Print an optspec for argparse to handle cmd's options that are independent of any subcommand.
function __fish_flowtop_global_optspecs
    string join \n i/interface= t/throughput-interval= j/jitter-interval= b/bits l/packet-loss sort= columns= max-flows= record= metrics= assert= listen= ipfix= c/config= user= json text output= rotate= filter= top= duration= count= wait-for= report= q/quiet export-dir= color= ascii check-config print-config demo r/read= h/help V/version
end

function __fish_flowtop_needs_command
    # Figure out if the current invocation already has a command.
    set -l cmd (commandline -opc)
    set -e cmd[1]
    argparse -s (__fish_flowtop_global_optspecs) -- $cmd 2>/dev/null
    or return
    if set -q argv[1]
        # Also print the command, so this can be used to figure out what it is.
        echo $argv[1]
        return 1
    end
    return 0
end

function __fish_flowtop_using_subcommand
    set -l cmd (__fish_flowtop_needs_command)
    test -z "$cmd"
    and return 1
    contains -- $cmd[1] $argv
end

complete -c flowtop -s i -l interface -d 'Interfaces to watch: a comma list, repeatable, `*` and `?` globs allowed. [default: every interface that is up, except loopback]' -r -f -a "(__flowtop_interfaces)"
complete -c flowtop -n "__fish_flowtop_needs_command" -s t -l throughput-interval -d 'Interval for throughput and goodput, and the refresh period; at least 0.1. [default: 1]' -r
complete -c flowtop -n "__fish_flowtop_needs_command" -s j -l jitter-interval -d 'Window over which inter-arrival mean and jitter are computed. [default: the throughput interval]' -r
complete -c flowtop -n "__fish_flowtop_needs_command" -l sort -d 'Id or short name of the column to sort flows by; `-` in front: largest first. [default: -throughput]' -r
complete -c flowtop -n "__fish_flowtop_needs_command" -l columns -d 'Columns of flows on the dashboard and of --text, by ids or short names, such as source,destination,rate,loss,ttl. [default: those of COLUMNS; of --text a set of its own]' -r
complete -c flowtop -n "__fish_flowtop_needs_command" -l max-flows -d 'Size of the flow table. [default: 65536]' -r
complete -c flowtop -n "__fish_flowtop_needs_command" -l record -d 'Folder to record the run into: at most 1 GB and 7 days, unless RECORD says otherwise; if missing, it is made, and given to the user that the run goes on as' -r -F
complete -c flowtop -n "__fish_flowtop_needs_command" -l metrics -d 'Groups of metrics to count besides, a comma list; each costs something with every packet: `ip`, marks and hops of IP headers' -r
complete -c flowtop -n "__fish_flowtop_needs_command" -l assert -d 'Check at the end of the run, such as \'port:5201 => loss<0.1 and flows>=1\': each flow that the filter before the arrow takes has to satisfy the condition behind it, over the whole run; repeatable; exit code 3 if one does not hold' -r
complete -c flowtop -n "__fish_flowtop_needs_command" -l listen -d 'Serve metrics for Prometheus, and what scrapes like it, at this address, without one to this host only' -r
complete -c flowtop -n "__fish_flowtop_needs_command" -l ipfix -d 'Collector that gets flow records by IPFIX: by UDP, or tcp://HOST:PORT; addresses of IPv6 are in brackets. Counts the group `ip`, too' -r
complete -c flowtop -n "__fish_flowtop_needs_command" -s c -l config -d 'Configuration file; it must exist. [default: ./config.json, $XDG_CONFIG_HOME/flowtop/config.json, /etc/flowtop/config.json]' -r -F
complete -c flowtop -n "__fish_flowtop_needs_command" -l user -d 'Name or number of the user to go on as once packets are counted, for runs that root starts. [default: the one who called sudo, else flowtop, else a number that nobody has]' -r
complete -c flowtop -n "__fish_flowtop_needs_command" -l output -d 'No screen: records go to the end of this file, in place of standard output' -r -F
complete -c flowtop -n "__fish_flowtop_needs_command" -l rotate -d 'Begin the file anew before it exceeds SIZE (such as 100M), and keep COUNT files in all' -r
complete -c flowtop -n "__fish_flowtop_needs_command" -l filter -d 'Flows to list, such as \'udp and loss>1\': on the dashboard the filter of the views of flows at first; without a screen, the others are summed up' -r
complete -c flowtop -n "__fish_flowtop_needs_command" -l top -d 'Without a screen: list the first N flows by the order of SORT, and sum the others up' -r
complete -c flowtop -n "__fish_flowtop_needs_command" -l duration -d 'Stop after this time; as all times, seconds or with units: 90, 1m30s, 2h' -r
complete -c flowtop -n "__fish_flowtop_needs_command" -l count -d 'Stop after this many intervals; without a screen: records' -r
complete -c flowtop -n "__fish_flowtop_needs_command" -l wait-for -d 'Begin when the first flow comes that matches, such as \'port:5201\': totals, records and times count from there. `--duration` limits the wait, and then the run' -r
complete -c flowtop -n "__fish_flowtop_needs_command" -l report -d 'Write what the checks came to into this file, as JUnit XML' -r -F
complete -c flowtop -n "__fish_flowtop_needs_command" -l export-dir -d 'Folder that the keys `e` and `w` write to; if missing, it is made, and given to the user that the run goes on as. [default: the working folder]' -r -F
complete -c flowtop -n "__fish_flowtop_needs_command" -l color -d 'When to use colours. `NO_COLOR` is honoured' -r -f -a "auto\t'On a terminal, unless `NO_COLOR` is set'
always\t'Always'
never\t'Never'"
complete -c flowtop -n "__fish_flowtop_needs_command" -s r -l read -d 'Packets of this capture, not of interfaces: pcap, pcapng, also by gzip or zstd; `-`: standard input. Needs no right' -r -F
complete -c flowtop -n "__fish_flowtop_needs_command" -s b -l bits -d 'Start in bits per second'
complete -c flowtop -n "__fish_flowtop_needs_command" -s l -l packet-loss -d 'Start with the loss columns'
complete -c flowtop -n "__fish_flowtop_needs_command" -l json -d 'No screen: one JSON object per interval on standard output'
complete -c flowtop -n "__fish_flowtop_needs_command" -l text -d 'No screen: a plain table per interval'
complete -c flowtop -n "__fish_flowtop_needs_command" -s q -l quiet -d 'Leave no summary of the run on the terminal when the dashboard closes'
complete -c flowtop -n "__fish_flowtop_needs_command" -l ascii -d 'Draw with ASCII characters only, also where the locale and TERM allow others'
complete -c flowtop -n "__fish_flowtop_needs_command" -l check-config -d 'Validate the configuration, say what it means, and leave'
complete -c flowtop -n "__fish_flowtop_needs_command" -l print-config -d 'Write the effective configuration (defaults, file, command line) as config.json, and leave'
complete -c flowtop -n "__fish_flowtop_needs_command" -l demo -d 'Watch generated traffic in a private pair of network namespaces'
complete -c flowtop -n "__fish_flowtop_needs_command" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c flowtop -n "__fish_flowtop_needs_command" -s V -l version -d 'Print version'
complete -c flowtop -n "__fish_flowtop_needs_command" -f -a "doctor" -d 'Say what flowtop finds on this machine: to be sent with a bug report'
complete -c flowtop -n "__fish_flowtop_needs_command" -f -a "replay" -d 'Go through a run that was recorded: the dashboard at any moment of it; or its records, and what checks come to, of all of it or of a span of time'
complete -c flowtop -n "__fish_flowtop_needs_command" -f -a "help" -d 'Print this message or the help of the given subcommand(s)'
complete -c flowtop -n "__fish_flowtop_using_subcommand doctor" -l clean -d 'Remove what killed runs left on the hooks, and say what it was'
complete -c flowtop -n "__fish_flowtop_using_subcommand doctor" -s h -l help -d 'Print help'
complete -c flowtop -n "__fish_flowtop_using_subcommand replay" -l at -d 'Open the dashboard at this moment: a time such as \'2026-11-25 03:10\', or how long ago, such as -2h. [default: the end, and on with what comes, where the run goes on; else the beginning]' -r
complete -c flowtop -n "__fish_flowtop_using_subcommand replay" -l from -d 'Without a screen: from when on; as --at' -r
complete -c flowtop -n "__fish_flowtop_using_subcommand replay" -l to -d 'Without a screen: until when; as --at' -r
complete -c flowtop -n "__fish_flowtop_using_subcommand replay" -l filter -d 'Flows to list, such as \'udp and loss>1\': on the dashboard the filter of the views of flows at first; without a screen, the others are summed up' -r
complete -c flowtop -n "__fish_flowtop_using_subcommand replay" -l top -d 'Without a screen: list the first N flows by the order of SORT, and sum the others up' -r
complete -c flowtop -n "__fish_flowtop_using_subcommand replay" -l sort -d 'Id or short name of the column to sort flows by; `-` in front: largest first. [default: as it was recorded]' -r
complete -c flowtop -n "__fish_flowtop_using_subcommand replay" -l columns -d 'Columns of flows on the dashboard and of --text, by ids or short names, such as source,destination,rate,loss,ttl. [default: as it was recorded; of --text a set of its own]' -r
complete -c flowtop -n "__fish_flowtop_using_subcommand replay" -l assert -d 'Check, such as \'port:5201 => loss<0.1 and flows>=1\': each flow that the filter before the arrow takes has to satisfy the condition behind it, over the span of --from and --to; repeatable; exit code 3 if one does not hold. Without --json and --text there are no records, and no screen. [default: ASSERT of the recording, with --json, --text or --report]' -r
complete -c flowtop -n "__fish_flowtop_using_subcommand replay" -l report -d 'Write what the checks came to into this file, as JUnit XML' -r -F
complete -c flowtop -n "__fish_flowtop_using_subcommand replay" -l listen -d 'Serve metrics for Prometheus, and what scrapes like it, at this address, without one to this host only: of the moment that is shown, or of the records' -r
complete -c flowtop -n "__fish_flowtop_using_subcommand replay" -l export-dir -d 'Folder that the key `e` writes to; if missing, it is made, and given to the user that the replay goes on as. [default: the working folder]' -r -F
complete -c flowtop -n "__fish_flowtop_using_subcommand replay" -l color -d 'When to use colours. `NO_COLOR` is honoured' -r -f -a "auto\t'On a terminal, unless `NO_COLOR` is set'
always\t'Always'
never\t'Never'"
complete -c flowtop -n "__fish_flowtop_using_subcommand replay" -l json -d 'No screen: one JSON object per interval on standard output'
complete -c flowtop -n "__fish_flowtop_using_subcommand replay" -l text -d 'No screen: a plain table per interval'
complete -c flowtop -n "__fish_flowtop_using_subcommand replay" -l ascii -d 'Draw with ASCII characters only, also where the locale and TERM allow others'
complete -c flowtop -n "__fish_flowtop_using_subcommand replay" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c flowtop -n "__fish_flowtop_using_subcommand help; and not __fish_seen_subcommand_from doctor replay help" -f -a "doctor" -d 'Say what flowtop finds on this machine: to be sent with a bug report'
complete -c flowtop -n "__fish_flowtop_using_subcommand help; and not __fish_seen_subcommand_from doctor replay help" -f -a "replay" -d 'Go through a run that was recorded: the dashboard at any moment of it; or its records, and what checks come to, of all of it or of a span of time'
complete -c flowtop -n "__fish_flowtop_using_subcommand help; and not __fish_seen_subcommand_from doctor replay help" -f -a "help" -d 'Print this message or the help of the given subcommand(s)'
