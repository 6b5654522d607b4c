/**
 * The registry of all commands. A new one is a file in `commands/` and an entry here; help and completion follow.
 */
import type { Command, CommandOption } from "#cli/Command.ts"

const wholeNumber = (what: string) => (text: string): number => {
  if (!/^[0-9]+$/.test(text)) throw new Error(`${what} is wanted`)
  return Number(text)
}

const between = (least: number, most: number) => (text: string): number => {
  const value = wholeNumber(`${least} to ${most}`)(text)
  if (value < least || value > most) throw new Error(`${least} to ${most} is wanted`)
  return value
}

const recursive = { flags: "-r, --recursive", description: "folders with all that is in them" }
const quiet = { flags: "-q, --quiet", description: "no progress" }
const at = { flags: "--at <time>", description: "as it was: a time, an age as 15m, or the number of an event" }
const data = { flags: "--data <folder>", description: "where it keeps everything [$CADASTRE_DATA]" }
const json = { flags: "--json", description: "print JSON" }

const seconds = (text: string): number => {
  const value = Number(text)
  if (text.trim() === "" || !(value >= 0)) throw new Error("a number of seconds is wanted")
  return value
}

const oneOf = (...choices: ReadonlyArray<string>) => (text: string): string => {
  if (!choices.includes(text)) throw new Error(`${choices.join(" or ")} is wanted`)
  return text
}

const daysOf = (text: string): number => {
  const value = Number(text)
  if (text.trim() === "" || !(value >= 0 && value <= DAYS_MAX)) throw new Error(`0 to ${DAYS_MAX} days are wanted`)
  return value
}
/** A century. */
const DAYS_MAX = 36_525

const whatIf = {
  flags: "--retention <days>",
  description: "as if the history were kept so long (the cluster's setting, for ever without one)",
  parse: daysOf
}

const positive = (what: string) => (text: string): number => {
  const value = Number(text)
  if (text.trim() === "" || !(value > 0)) throw new Error(`a number of ${what} is wanted`)
  return value
}

const seedRange = (text: string): readonly [number, number] => {
  const [, first, last] = /^([0-9]+)\.\.([0-9]+)$/.exec(text) ?? []
  if (first === undefined || last === undefined || Number(last) < Number(first)) throw new Error("A..B is wanted")
  return [Number(first), Number(last)]
}

/** Options of every command that talks to a file system. */
export const connectOptions: ReadonlyArray<CommandOption> = [
  { flags: "--endpoint <host:port>", description: "runner of the cluster, several with commas [$CADASTRE_ENDPOINT]" },
  { flags: "--data <folder>", description: "folder of a local file system [$CADASTRE_DATA]" },
  { flags: "--secret-file <file>", description: "the cluster's secret [$CADASTRE_SECRET_FILE, $CADASTRE_SECRET]" },
  { flags: "--retry-for <seconds>", description: "how long to try when no runner answers (60)", parse: seconds },
  { flags: "--json", description: "print JSON, one object a line" }
]

export const commands: ReadonlyArray<Command> = [
  {
    name: "up",
    summary: "start a whole file system on this machine",
    options: [
      data,
      {
        flags: "--zones <n>",
        description: "zones of a new file system, 1 to 1024 (16)",
        parse: wholeNumber("a number")
      },
      { flags: "--host <address>", description: "address to listen on (127.0.0.1)" },
      { flags: "--port <n>", description: "port to listen on (7070, or a free one)", parse: wholeNumber("a port") },
      {
        flags: "--journal-retention <days>",
        description: "how long archived journal rows stay in Postgres (for ever)",
        parse: daysOf
      },
      {
        flags: "--history-retention <days>",
        description: "how old the history may get that still keeps blocks (for ever)",
        parse: daysOf
      },
      { flags: "-d, --detach", description: "return when it is ready, leave it running" },
      json
    ],
    examples: ["cadastre up", "cadastre up --data /srv/cadastre --detach", "cadastre up --zones 1024"],
    connects: false,
    load: () => import("#cli/commands/Up.ts")
  },
  {
    name: "down",
    summary: "stop the file system of a data folder",
    options: [data, json],
    examples: ["cadastre down", "cadastre down --data /srv/cadastre"],
    connects: false,
    load: () => import("#cli/commands/Down.ts")
  },
  {
    name: "runner",
    summary: "run one runner of a cluster, configured by the environment",
    options: [{ flags: "--check", description: "check the configuration and end" }],
    examples: ["CADASTRE_POSTGRES_URL=postgres://… CADASTRE_BLOCKS=s3://bucket/prefix cadastre runner"],
    connects: false,
    load: () => import("#cli/commands/Runner.ts")
  },
  {
    name: "info",
    summary: "what the cluster is and how its runners are",
    examples: ["cadastre info", "cadastre info --json"],
    connects: true,
    load: () => import("#cli/commands/Info.ts")
  },
  {
    name: "put",
    summary: "copy local files and folders into the file system",
    arguments: [
      { name: "<sources...>", description: "local files and folders (- for standard input), then the target path" }
    ],
    options: [
      quiet,
      { flags: "--no-preserve", description: "new owners, modes and times instead of the sources'" },
      { flags: "--checksum", description: "compare contents of files that look the same, not size and time alone" }
    ],
    examples: ["cadastre put report.pdf /docs/", "cadastre put ./photos /", "tar c . | cadastre put - /backup.tar"],
    connects: true,
    load: () => import("#cli/commands/Put.ts")
  },
  {
    name: "get",
    summary: "copy files and folders out of the file system",
    arguments: [{ name: "<sources...>", description: "paths, then the local target (- for standard output)" }],
    options: [at, quiet, {
      flags: "--no-preserve",
      description: "new owners, modes and times instead of the sources'"
    }],
    examples: ["cadastre get /docs/report.pdf .", "cadastre get /photos ./copy", "cadastre get /backup.tar - | tar x"],
    connects: true,
    load: () => import("#cli/commands/Get.ts")
  },
  {
    name: "cat",
    summary: "print files",
    arguments: [{ name: "<paths...>", description: "files" }],
    options: [
      at,
      { flags: "--offset <bytes>", description: "where to begin (0)", parse: wholeNumber("a number of bytes") },
      { flags: "--length <bytes>", description: "how much (all)", parse: wholeNumber("a number of bytes") }
    ],
    examples: ["cadastre cat /docs/notes.txt", "cadastre cat /big.bin --offset 4096 --length 512 | xxd"],
    connects: true,
    load: () => import("#cli/commands/Cat.ts")
  },
  {
    name: "ls",
    summary: "list folders",
    arguments: [{ name: "[paths...]", description: "folders or files (/)" }],
    options: [
      at,
      { flags: "-l, --long", description: "with mode, links, owner, size and time" },
      { flags: "-a, --all", description: "names that begin with a dot, too" },
      { flags: "-R, --recursive", description: "folders below, too" },
      { flags: "-d, --directory", description: "folders themselves, not what is in them" }
    ],
    examples: ["cadastre ls", "cadastre ls -l /docs", "cadastre ls -R --json / | jq .path"],
    connects: true,
    load: () => import("#cli/commands/Ls.ts")
  },
  {
    name: "tree",
    summary: "draw a folder and what is below it",
    arguments: [{ name: "[path]", description: "folder (/)" }],
    options: [at, { flags: "-L, --level <n>", description: "how deep", parse: wholeNumber("a depth") }],
    examples: ["cadastre tree", "cadastre tree /docs -L 2"],
    connects: true,
    load: () => import("#cli/commands/Tree.ts")
  },
  {
    name: "stat",
    summary: "all attributes of files",
    arguments: [{ name: "<paths...>", description: "files, folders, links" }],
    options: [at, { flags: "-L, --dereference", description: "follow a link at the end" }],
    examples: ["cadastre stat /docs/report.pdf", "cadastre stat / --json"],
    connects: true,
    load: () => import("#cli/commands/Stat.ts")
  },
  {
    name: "mkdir",
    summary: "make folders",
    arguments: [{ name: "<paths...>", description: "folders to make" }],
    options: [
      { flags: "-p, --parents", description: "those above, too; no complaint about one that is there" },
      { flags: "-m, --mode <octal>", description: "permissions (0777 less the umask)" }
    ],
    examples: ["cadastre mkdir /docs", "cadastre mkdir -p /a/b/c -m 0750"],
    connects: true,
    load: () => import("#cli/commands/Mkdir.ts")
  },
  {
    name: "mv",
    summary: "move or rename",
    arguments: [{ name: "<sources...>", description: "what to move, then where to" }],
    options: [
      { flags: "-n, --no-clobber", description: "leave what stands at the target" },
      { flags: "--exchange", description: "exchange two entries, atomically" }
    ],
    examples: ["cadastre mv /draft.txt /final.txt", "cadastre mv /a /b /folder/", "cadastre mv --exchange /new /live"],
    connects: true,
    load: () => import("#cli/commands/Mv.ts")
  },
  {
    name: "cp",
    summary: "copy within the file system, by reference: no data moves",
    arguments: [{ name: "<sources...>", description: "what to copy, then where to" }],
    options: [recursive, {
      flags: "--no-preserve",
      description: "new owners, modes and times instead of the sources'"
    }],
    examples: ["cadastre cp /model.bin /model.bak", "cadastre cp -r /data /data-copy"],
    connects: true,
    load: () => import("#cli/commands/Cp.ts")
  },
  {
    name: "ln",
    summary: "make links",
    arguments: [{ name: "<target>", description: "what to link to" }, { name: "<path>", description: "the new name" }],
    options: [{ flags: "-s, --symbolic", description: "a symbolic link" }],
    examples: ["cadastre ln /a /b", "cadastre ln -s ../shared /project/shared"],
    connects: true,
    load: () => import("#cli/commands/Ln.ts")
  },
  {
    name: "rm",
    summary: "remove files and folders",
    arguments: [{ name: "<paths...>", description: "what to remove" }],
    options: [
      recursive,
      { flags: "-f, --force", description: "no complaint about what is not there" },
      { flags: "-d, --dir", description: "empty folders, too" },
      quiet
    ],
    examples: ["cadastre rm /old.txt", "cadastre rm -r /scratch"],
    connects: true,
    load: () => import("#cli/commands/Rm.ts")
  },
  {
    name: "chmod",
    summary: "change permissions",
    arguments: [
      { name: "<mode>", description: "octal, or symbolic as in u+x,go-w" },
      { name: "<paths...>", description: "files and folders" }
    ],
    options: [{ flags: "-R, --recursive", description: "all below, too" }],
    examples: ["cadastre chmod 0644 /docs/report.pdf", "cadastre chmod -R u+rwX,go-w /docs"],
    connects: true,
    load: () => import("#cli/commands/Chmod.ts")
  },
  {
    name: "chown",
    summary: "change owner and group",
    arguments: [
      { name: "<owner>", description: "user, user:group or :group, by name or number" },
      { name: "<paths...>", description: "files and folders" }
    ],
    options: [
      { flags: "-R, --recursive", description: "all below, too" },
      { flags: "-h, --no-dereference", description: "links themselves" }
    ],
    examples: ["cadastre chown alice:staff /docs", "cadastre chown -R 1000:1000 /data"],
    connects: true,
    load: () => import("#cli/commands/Chown.ts")
  },
  {
    name: "touch",
    summary: "set times, or make empty files",
    arguments: [{ name: "<paths...>", description: "files" }],
    options: [
      { flags: "-c, --no-create", description: "make none" },
      { flags: "--date <time>", description: "ISO 8601 instead of now" }
    ],
    examples: ["cadastre touch /done", "cadastre touch --date 2026-01-01T00:00:00Z /docs/report.pdf"],
    connects: true,
    load: () => import("#cli/commands/Touch.ts")
  },
  {
    name: "du",
    summary: "how much folders hold",
    arguments: [{ name: "[paths...]", description: "folders or files (/)" }],
    options: [at, { flags: "-s, --summarize", description: "only the sum of each" }],
    examples: ["cadastre du /docs", "cadastre du -s / --json"],
    connects: true,
    load: () => import("#cli/commands/Du.ts")
  },
  {
    name: "df",
    summary: "how much the zones hold",
    options: [{ flags: "--zones", description: "each zone on a line" }],
    examples: ["cadastre df", "cadastre df --zones"],
    connects: true,
    load: () => import("#cli/commands/Df.ts")
  },
  {
    name: "snapshot create",
    summary: "give the present of a folder a name, at once, however much is in it",
    arguments: [
      { name: "<path>", description: "folder, / for all" },
      { name: "[name]", description: "name (the time in UTC)" }
    ],
    examples: ["cadastre snapshot create /home", "cadastre snapshot create / before-upgrade", "ls /.snapshots"],
    connects: true,
    load: () => import("#cli/commands/SnapshotCreate.ts")
  },
  {
    name: "snapshot list",
    summary: "list snapshots",
    arguments: [{ name: "[path]", description: "folder (every one, and those that are gone)" }],
    options: [
      { flags: "--cost", description: "files, bytes, and bytes that go with each one alone; reads the whole history" },
      whatIf
    ],
    examples: ["cadastre snapshot list /home", "cadastre snapshot list --json"],
    connects: true,
    load: () => import("#cli/commands/SnapshotList.ts")
  },
  {
    name: "snapshot cost",
    summary: "what live files, snapshots and history hold in the block store; reads the whole history",
    options: [
      whatIf,
      {
        flags: "--zone <n>",
        description: "only this zone, as if no other shared its blocks",
        parse: wholeNumber("a zone number")
      }
    ],
    examples: ["cadastre snapshot cost", "cadastre snapshot cost --retention 30 --json"],
    connects: true,
    load: () => import("#cli/commands/SnapshotCost.ts")
  },
  {
    name: "snapshot rm",
    summary: "remove a snapshot; the history stays for as long as it is kept",
    arguments: [
      { name: "<path>", description: "folder that it was taken of, or its inode number if that is gone" },
      { name: "<name>", description: "its name" }
    ],
    examples: ["cadastre snapshot rm /home 2026-01-31T12:00:00Z"],
    connects: true,
    load: () => import("#cli/commands/SnapshotRm.ts")
  },
  {
    name: "restore",
    summary: "bring back a file or folder as it was, by reference: no data moves",
    arguments: [{ name: "<path>", description: "what it was called then" }],
    options: [
      at,
      { flags: "--snapshot <name>", description: "as it is in this snapshot, of it or of a folder above it" },
      { flags: "--to <path>", description: "bring it back under another name" },
      { flags: "--overwrite", description: "put what stands there now aside" },
      { flags: "-n, --dry-run", description: "say what would be done" },
      quiet
    ],
    examples: [
      "cadastre restore --at 15m /home/alice/thesis.tex",
      "cadastre restore --snapshot before-upgrade /etc --overwrite",
      "cadastre restore --at 2026-01-31T12:00:00Z /data --to /data-in-january"
    ],
    connects: true,
    load: () => import("#cli/commands/Restore.ts")
  },
  {
    name: "audit log",
    summary: "who did what to which path, when",
    options: [
      { flags: "--path <path>", description: "only this path and all below it" },
      { flags: "--inode <n>", description: "only this inode", parse: wholeNumber("an inode number") },
      { flags: "--user <user>", description: "only this user, by name or number" },
      { flags: "--session <n>", description: "only this session", parse: wholeNumber("a session number") },
      { flags: "--since <time>", description: "ISO 8601, @seconds, or an age as 15m" },
      { flags: "--until <time>", description: "likewise" },
      { flags: "--operation <names>", description: "only these, with commas, such as unlink,rename" },
      { flags: "--zone <n>", description: "only this zone", parse: wholeNumber("a zone number") },
      { flags: "-f, --follow", description: "go on with what comes" }
    ],
    examples: [
      "cadastre audit log --path /docs --since 1h",
      "cadastre audit log --user alice --operation unlink,rename --json",
      "cadastre audit log --follow"
    ],
    connects: true,
    load: () => import("#cli/commands/AuditLog.ts")
  },
  {
    name: "audit export",
    summary: "the audit log as a file for other tools, in JSON Lines or Parquet",
    options: [
      { flags: "--format <name>", description: "jsonl or parquet (jsonl)", parse: oneOf("jsonl", "parquet") },
      { flags: "-o, --output <file>", description: "where to write (standard output)" },
      { flags: "--zone <n>", description: "only this zone", parse: wholeNumber("a zone number") },
      { flags: "--since <time>", description: "ISO 8601, @seconds, or an age as 15m" },
      { flags: "--until <time>", description: "likewise" }
    ],
    examples: [
      "cadastre audit export --since 24h | jq .path",
      "cadastre audit export --format parquet --output log.parquet",
      "cadastre audit export --zone 0 --until 2026-01-31 --output january.jsonl"
    ],
    connects: true,
    load: () => import("#cli/commands/AuditExport.ts")
  },
  {
    name: "audit verify",
    summary: "recompute the chain, replay every zone, compare with the live state",
    options: [{ flags: "--zone <n>", description: "only this zone", parse: wholeNumber("a zone number") }, quiet],
    examples: ["cadastre audit verify", "cadastre audit verify --zone 0 --json"],
    connects: true,
    load: () => import("#cli/commands/AuditVerify.ts")
  },
  {
    name: "audit replay",
    summary: "the tree as it was: ls, tree, stat, or diff between two times",
    arguments: [
      { name: "[what]", description: "ls, tree, stat or diff (ls)" },
      { name: "[path]", description: "folder or file (/)" }
    ],
    options: [
      { flags: "--at <time>", description: "a time, an age as 15m, or the number of an event in the path's zone" },
      { flags: "--to <time>", description: "of a diff: its later end (now)" },
      quiet
    ],
    examples: [
      "cadastre audit replay --at 2026-01-31T12:00:00Z ls /docs",
      "cadastre audit replay --at 1h diff /",
      "cadastre audit replay --at 12345 stat /docs/report.pdf"
    ],
    connects: true,
    load: () => import("#cli/commands/AuditReplay.ts")
  },
  {
    name: "simulate",
    summary: "run simulated clusters under seeds, with faults, and check all that is promised",
    options: [
      { flags: "--seed <n>", description: "one seed", parse: wholeNumber("a seed") },
      { flags: "--seeds <range>", description: "seeds from A to B, as A..B (1..20)", parse: seedRange },
      { flags: "--minutes <m>", description: "as many seeds as fit into this time", parse: positive("minutes") },
      { flags: "--scenario <name>", description: "one scenario by its name, or a .json file (all that come along)" },
      {
        flags: "--failures <n>",
        description: "stop after so many seeds that failed (1)",
        parse: wholeNumber("a number")
      },
      json
    ],
    examples: [
      "cadastre simulate --seeds 1..200",
      "cadastre simulate --minutes 60 --json",
      "cadastre simulate --scenario renames --seed 17"
    ],
    connects: false,
    load: () => import("#cli/commands/Simulate.ts")
  },
  {
    name: "simulate mutants",
    summary: "plant bugs one by one, and tell how many seeds each took to be found",
    options: [
      { flags: "--seeds <n>", description: "seeds for each at most (1000)", parse: wholeNumber("a number") },
      { flags: "--minutes <m>", description: "minutes for each at most (none)", parse: positive("minutes") },
      { flags: "--only <names>", description: "some of them, with commas, or beginnings of names with a *" },
      json
    ],
    examples: ["cadastre simulate mutants", "cadastre simulate mutants --minutes 2 --only 'snapshot-*'"],
    connects: false,
    load: () => import("#cli/commands/SimulateMutants.ts")
  },
  {
    name: "bench",
    summary: "measure this machine's Cadastre, each figure with the machine's own floor beside it",
    arguments: [{ name: "<name>", description: "engine, idle, load, memory, pauses, peers, recovery or replay" }],
    options: [
      { flags: "--files <n>", description: "files to measure with", parse: wholeNumber("a number") },
      { flags: "--tree <folder>", description: "a real tree for `memory` and `recovery` (/usr)" },
      {
        flags: "--seconds <s>",
        description: "how long each phase of `peers` lasts (10)",
        parse: positive("seconds")
      },
      { flags: "--zones <n>", description: "zones for `idle` (1024)", parse: between(17, 1024) },
      { flags: "--juicefs <program>", description: "JuiceFS for `peers` [$CADASTRE_PEERS, a folder; PATH]" },
      json
    ],
    examples: ["cadastre bench engine --files 1000000", "cadastre bench memory --json", "cadastre bench replay"],
    connects: false,
    load: () => import("#cli/commands/Bench.ts")
  },
  {
    name: "bench capacity",
    summary: "compute from what `bench mdtest` measured what a large cluster would do, and what is exhausted first",
    options: [
      { flags: "--from <file>", description: "what `cadastre bench mdtest --json` printed" },
      { flags: "--nodes <n>", description: "machines of runners (60)", parse: between(1, 1e6) },
      { flags: "--zones <n>", description: "zones of the cluster (1024)", parse: between(1, 1024) },
      { flags: "--databases <n>", description: "databases of journals (4)", parse: between(1, 1024) },
      json
    ],
    examples: ["cadastre bench mdtest -F -C --json > run.json && cadastre bench capacity --from run.json"],
    connects: false,
    load: () => import("#cli/commands/BenchCapacity.ts")
  },
  {
    name: "bench mdtest",
    summary: "the phases and the table of mdtest, on a whole cluster of its own or one that runs",
    options: [
      { flags: "-n, --items <n>", description: "items of each task (200000)", parse: between(1, 1e11) },
      {
        flags: "-I, --items-per-directory <n>",
        description: "of each task; as many trees as it takes",
        parse: between(1, 1e9)
      },
      {
        flags: "-b, --branching <n>",
        description: "subdirectories of each directory of a tree (1)",
        parse: between(1, 1000)
      },
      { flags: "-z, --depth <n>", description: "levels of subdirectories (0)", parse: between(0, 100) },
      { flags: "-i, --iterations <n>", description: "how often to do all of it (1)", parse: between(1, 1000) },
      { flags: "-u, --unique", description: "each task in trees of its own" },
      { flags: "-F, --files-only", description: "no directories but the trees'" },
      { flags: "-D, --directories-only", description: "no files" },
      { flags: "-C, --create-only", description: "create and leave it; with -T, -E, -r those as well" },
      { flags: "-T, --stat-only", description: "stat what -C left" },
      { flags: "-E, --read-only", description: "read what -C left" },
      { flags: "-r, --remove-only", description: "remove what -C left" },
      { flags: "-w, --write <bytes>", description: "bytes of each file (0)", parse: between(0, 1024 * 1024) },
      { flags: "--tasks <n>", description: "processes that work (2)", parse: between(1, 256) },
      { flags: "--callers <n>", description: "requests that each task has under way (8)", parse: between(1, 65_536) },
      { flags: "--batch <n>", description: "items of a request (256)", parse: between(1, 4096) },
      {
        flags: "--zones <n>",
        description: "zones to spread it over (1; all of a cluster that runs)",
        parse: between(1, 1024)
      },
      { flags: "--runners <n>", description: "runner processes of its own cluster (1)", parse: between(1, 64) },
      { flags: "--connect <host:port>", description: "use the cluster there, several runners with commas" },
      { flags: "--data <folder>", description: "use the cluster that `up` serves from there" },
      {
        flags: "--secret-file <file>",
        description: "the secret of --connect [$CADASTRE_SECRET_FILE, $CADASTRE_SECRET]"
      },
      { flags: "--tls", description: "encrypt the connections of its own cluster" },
      { flags: "--record <file>", description: "append a line of JSON each second" },
      { flags: "--profile <folder>", description: "leave CPU profiles of tasks and runners there" },
      json
    ],
    examples: [
      "cadastre bench mdtest",
      "cadastre bench mdtest -n 10000 --batch 1 --callers 64",
      "cadastre bench mdtest -F -n 1000000 --zones 16 --json",
      "cadastre bench mdtest -F -C -n 50000000 -I 1000000 --record run.jsonl"
    ],
    connects: false,
    load: () => import("#cli/commands/BenchMdtest.ts")
  },
  {
    name: "bench failover",
    summary: "how long the zones of a runner that dies, stands still or loses its network take to answer elsewhere",
    options: [
      {
        flags: "--zones <n>",
        description: "zones of its cluster of three runners (12)",
        parse: wholeNumber("a number")
      },
      { flags: "--callers <n>", description: "callers of each zone (2)", parse: wholeNumber("a number") },
      { flags: "--rounds <n>", description: "how often each befalls a runner (3)", parse: wholeNumber("a number") },
      { flags: "--lease <seconds>", description: "as CADASTRE_LEASE_SECONDS", parse: positive("seconds") },
      { flags: "--faults <list>", description: "some of Kill, Stop, NetworkLoss, Rolling (all)" },
      { flags: "--keep", description: "leave logs and data for a look" },
      json
    ],
    examples: ["cadastre bench failover", "cadastre bench failover --rounds 1 --faults Kill,Rolling --json"],
    connects: false,
    load: () => import("#cli/commands/BenchFailover.ts")
  },
  {
    name: "chaos",
    summary: "run a real cluster on this machine, with real faults, and check all that is promised",
    options: [
      {
        flags: "--minutes <m>",
        description: "how long clients work and faults befall (1)",
        parse: positive("minutes")
      },
      { flags: "--scenario <name>", description: "one of the simulation's, or a .json file (all, in turns)" },
      { flags: "--faults <list>", description: "some of them, with commas, or none (all that can be had here)" },
      { flags: "--target <kind>", description: "processes, namespaces (root only) or compose (processes)" },
      {
        flags: "--seed <n>",
        description: "chooses faults and operations; real time is not repeatable, so what comes of them may differ",
        parse: wholeNumber("a seed")
      },
      { flags: "--keep", description: "leave logs and data for a look, also when all is well" },
      { flags: "--history <file>", description: "judge a history that was kept, and run nothing" },
      json
    ],
    examples: [
      "cadastre chaos",
      "cadastre chaos --minutes 30 --json",
      "cadastre chaos --scenario locks --faults killRunner,freezeRunner --seed 17",
      "sudo cadastre chaos --target namespaces"
    ],
    connects: false,
    load: () => import("#cli/commands/Chaos.ts")
  },
  {
    name: "completion",
    summary: "print the shell's completion script",
    arguments: [{ name: "<shell>", description: "bash, zsh or fish" }],
    examples: [
      "eval \"$(cadastre completion bash)\"",
      "cadastre completion fish > ~/.config/fish/completions/cadastre.fish"
    ],
    connects: false,
    load: () => import("#cli/commands/Completion.ts")
  }
]
