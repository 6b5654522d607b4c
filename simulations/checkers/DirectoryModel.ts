/**
 * Directories as POSIX has them: names, what they point to, which directories are empty, how many links there are.
 * No rights (everything is asked by root), no times, no contents; `domain/` decided none of it.
 *
 * Inodes are known by their numbers; one that an undecided operation made is known as `madeBy` it until somebody
 * sees its number. A directory that no reply has shown, a zone's root for instance, is taken as empty at first.
 */
import { Errno } from "#domain/Errno.ts"
import * as Mode from "#domain/Mode.ts"
import type { ReplyOf } from "#domain/Operations.ts"
import { Facts } from "#simulations/checkers/Facts.ts"
import { Groups } from "#simulations/checkers/Groups.ts"
import type { Model } from "#simulations/checkers/Linearizability.ts"
import { NONE, Reason, verdict } from "#simulations/checkers/Reasons.ts"
import { isDecided, madeBy, type Observation, type ObservationOf } from "#simulations/history/History.ts"

/** An entry that is there before the history begins. */
export interface Entry {
  readonly parent: number
  readonly name: string
  readonly inode: number
  /** Type and permission bits. */
  readonly mode: number
}

type Attributes = ReplyOf<"getAttributes">["attributes"]
type Listing = ReplyOf<"readDirectory">

export class DirectoryModel implements Model<Facts> {
  private readonly tree: ReadonlyArray<Entry>
  private readonly start: Facts

  /** What is there at first, parents before what is in them; the root is there anyway. */
  constructor(tree: ReadonlyArray<Entry> = []) {
    this.tree = tree
    let facts = born(Facts.empty(), ROOT, Mode.S_IFDIR)
    for (const { inode, mode, name, parent } of tree) {
      if (isForeign(facts, inode)) facts = born(facts, inode, mode & Mode.S_IFMT)
      facts = entered(facts, parent, name, inode)
    }
    this.start = facts
  }

  initial(): Facts {
    return this.start
  }

  step(facts: Facts, observation: Observation): Facts | undefined {
    const errno = isDecided(observation) ? observation.outcome?.errno : 0
    if (errno === Errno.ESTALE) return stale(facts, observation)
    switch (verdict(observation, reasonsOf(facts, observation))) {
      case "happens":
        return after(facts, observation)
      case "changes nothing":
        return facts
      case "contradicts":
        return isBeyond(facts, observation) ? facts : undefined
    }
  }

  key(facts: Facts): number {
    return facts.key
  }

  /** Directories that an operation touches together, and what is in them, are judged together. */
  partition(observations: ReadonlyArray<Observation>): ReadonlyArray<ReadonlyArray<Observation>> {
    const groups = new Groups<Observation>()
    for (const { inode, parent } of this.tree) groups.join([parent, inode])
    for (const observation of observations) {
      for (const view of viewsOf(observation)) {
        const inodes = asked(view)
        if (inodes.length > 0) groups.add([...inodes, ...shown(view)], view)
      }
    }
    return groups.all()
  }

  /** Entries as `directory/name -> inode`, then the inodes that have lost their names. */
  describe(facts: Facts): string {
    const all = facts.all()
    const entries = all.filter(([fact]) => fact.startsWith("e")).map(([fact, id]) => `${fact.slice(1)} -> ${id}`)
    const dead = all.filter(([fact, links]) => fact.startsWith("n") && links === 0).map(([fact]) => fact.slice(1))
    const bound = all.filter(([fact]) => fact.startsWith("r")).map(([fact, inode]) => `${fact.slice(1)} is ${inode}`)
    return [...entries.sort(), ...bound, ...(dead.length === 0 ? [] : [`without a name: ${dead.join(", ")}`])].join(
      "; "
    )
  }
}

const ROOT = 1

/** Names of facts. Of an inode: its type, links, entries, parent (of a directory), and whether it is gone for good. */
const typeOf = (id: number): string => `t${id}`
const linksOf = (id: number): string => `n${id}`
const countOf = (id: number): string => `c${id}`
const parentOf = (id: number): string => `p${id}`
const goneOf = (id: number): string => `g${id}`
const entryOf = (id: number, name: string): string => `e${id}/${name}`
/** The inode that an undecided operation made, by the number that was seen, and the number by the inode. */
const madeOf = (inode: number): string => `b${inode}`
const seenOf = (id: number): string => `r${id}`

const idOf = (facts: Facts, inode: number): number => facts.get(madeOf(inode)) ?? inode

/** Every reason to refuse the operation. */
const reasonsOf = (facts: Facts, observation: Observation): number => {
  switch (observation.operation) {
    case "lookup":
      return reasonsOfFinding(facts, observation.request.parent, observation.request.name)
    case "create":
      return reasonsOfCreate(facts, observation)
    case "makeDirectory":
      return reasonsOfMaking(facts, observation.request)
    case "makeNode":
      return reasonsOfMaking(facts, observation.request) | reasonsOfNode(observation.request.mode)
    case "makeSymlink":
      return reasonsOfMaking(facts, observation.request) | reasonsOfTarget(observation.request.target)
    case "link":
      return reasonsOfMaking(facts, observation.request) |
        reasonsOfLinked(facts, idOf(facts, observation.request.inode))
    case "unlink": {
      const { name, parent } = observation.request
      const id = find(facts, parent, name)
      return reasonsOfFinding(facts, parent, name) |
        (id !== undefined && isDirectory(facts, id) ? Reason.EISDIR | Reason.EPERM : NONE)
    }
    case "removeDirectory": {
      const { name, parent } = observation.request
      const id = find(facts, parent, name)
      return reasonsOfFinding(facts, parent, name) | (id === undefined ? NONE : reasonsOfRemoval(facts, id))
    }
    case "rename":
      return reasonsOfRename(facts, observation.request)
    case "readDirectory":
      return reasonsOfDirectory(facts, idOf(facts, observation.request.inode)) & ~Reason.ENOENT
    case "getAttributes":
      return facts.get(goneOf(idOf(facts, observation.request.inode))) === undefined ? NONE : Reason.ESTALE
    default:
      return NONE
  }
}

const isDirectory = (facts: Facts, id: number): boolean => facts.get(typeOf(id)) === Mode.S_IFDIR

const isDead = (facts: Facts, id: number): boolean => facts.get(linksOf(id)) === 0

/** Why nothing can be found or made in it. One that was removed while open has no names and gets none. */
const reasonsOfDirectory = (facts: Facts, id: number): number => {
  if (facts.get(goneOf(id)) !== undefined) return Reason.ESTALE
  const type = facts.get(typeOf(id))
  if (type !== undefined && type !== Mode.S_IFDIR) return Reason.ENOTDIR
  return isDead(facts, id) ? Reason.ENOENT : NONE
}

const NAME_BYTES_MAX = 255
const TARGET_BYTES_MAX = 4095

const reasonsOfName = (name: string): number => {
  if (name === "") return Reason.ENOENT
  const odd = name === "." || name === ".." || name.includes("/") || name.includes("\0")
  return (name.length > NAME_BYTES_MAX ? Reason.ENAMETOOLONG : NONE) | (odd ? Reason.EINVAL : NONE)
}

const find = (facts: Facts, directory: number, name: string): number | undefined =>
  facts.get(entryOf(idOf(facts, directory), name))

const reasonsOfFinding = (facts: Facts, directory: number, name: string): number =>
  reasonsOfDirectory(facts, idOf(facts, directory)) | reasonsOfName(name) |
  (find(facts, directory, name) === undefined ? Reason.ENOENT : NONE)

const reasonsOfMaking = (facts: Facts, { name, parent }: { readonly name: string; readonly parent: number }): number =>
  reasonsOfDirectory(facts, idOf(facts, parent)) | reasonsOfName(name) |
  (find(facts, parent, name) === undefined ? NONE : Reason.EEXIST)

const ACCESS_MAX = 3

const reasonsOfCreate = (facts: Facts, { request }: ObservationOf<"create">): number => {
  const { access, exclusive, name, parent } = request
  const always = reasonsOfDirectory(facts, idOf(facts, parent)) | reasonsOfName(name) |
    (access > ACCESS_MAX ? Reason.EINVAL : NONE)
  const there = find(facts, parent, name)
  if (there === undefined) return always
  if (exclusive) return always | Reason.EEXIST
  if (isDirectory(facts, there)) return always | Reason.EISDIR
  return always | (facts.get(typeOf(there)) === Mode.S_IFLNK ? Reason.ELOOP : NONE)
}

const makable: ReadonlySet<number> = new Set([
  0,
  Mode.S_IFREG,
  Mode.S_IFIFO,
  Mode.S_IFSOCK,
  Mode.S_IFCHR,
  Mode.S_IFBLK
])

const reasonsOfNode = (mode: number): number => {
  const type = mode & Mode.S_IFMT
  if (type === Mode.S_IFDIR) return Reason.EPERM
  return makable.has(type) ? NONE : Reason.EINVAL
}

const reasonsOfTarget = (target: string): number =>
  (target === "" ? Reason.ENOENT : NONE) | (target.length > TARGET_BYTES_MAX ? Reason.ENAMETOOLONG : NONE) |
  (target.includes("\0") ? Reason.EINVAL : NONE)

const reasonsOfLinked = (facts: Facts, id: number): number => {
  if (facts.get(goneOf(id)) !== undefined) return Reason.ESTALE
  return (isDirectory(facts, id) ? Reason.EPERM : NONE) | (isDead(facts, id) ? Reason.ENOENT : NONE)
}

const reasonsOfRemoval = (facts: Facts, id: number): number => {
  if (!isDirectory(facts, id)) return Reason.ENOTDIR
  return (facts.get(countOf(id)) ?? 0) > 0 ? Reason.ENOTEMPTY : NONE
}

const reasonsOfRename = (facts: Facts, request: ObservationOf<"rename">["request"]): number => {
  const { fromName, fromParent, mode, toName, toParent } = request
  const from = idOf(facts, fromParent)
  const to = idOf(facts, toParent)
  const moved = facts.get(entryOf(from, fromName))
  const target = facts.get(entryOf(to, toName))
  let reasons = reasonsOfDirectory(facts, from) | reasonsOfDirectory(facts, to) |
    reasonsOfName(fromName) | reasonsOfName(toName)
  if (mode === "keep" && target !== undefined) reasons |= Reason.EEXIST
  if (mode === "exchange" && target === undefined) reasons |= Reason.ENOENT
  if (moved === undefined) return reasons | Reason.ENOENT
  if (isWithin(facts, to, moved)) reasons |= Reason.EINVAL
  if (target === undefined || target === moved) return reasons
  if (isWithin(facts, from, target)) reasons |= mode === "exchange" ? Reason.EINVAL : Reason.ENOTEMPTY
  return mode === "replace" ? reasons | reasonsOfReplacing(facts, moved, target) : reasons
}

const reasonsOfReplacing = (facts: Facts, moved: number, target: number): number => {
  if (isDirectory(facts, moved)) return reasonsOfRemoval(facts, target)
  return isDirectory(facts, target) ? Reason.EISDIR : NONE
}

/** Whether the directory is the other or below it. */
const isWithin = (facts: Facts, directory: number, ancestor: number): boolean => {
  if (!isDirectory(facts, ancestor)) return false
  for (let at: number | undefined = directory; at !== undefined; at = facts.get(parentOf(at))) {
    if (at === ancestor) return true
  }
  return false
}

/** The facts once the operation happened; undefined if its reply says otherwise. */
const after = (facts: Facts, observation: Observation): Facts | undefined => {
  switch (observation.operation) {
    case "lookup":
      return shows(facts, find(facts, observation.request.parent, observation.request.name), attributesOf(observation))
    case "create":
      return afterCreate(facts, observation)
    case "makeDirectory":
      return afterMaking(facts, observation, Mode.S_IFDIR)
    case "makeNode":
      return afterMaking(facts, observation, (observation.request.mode & Mode.S_IFMT) || Mode.S_IFREG)
    case "makeSymlink":
      return afterMaking(facts, observation, Mode.S_IFLNK)
    case "link": {
      const { inode, name, parent } = observation.request
      const id = idOf(facts, inode)
      return shows(entered(facts, idOf(facts, parent), name, id), id, attributesOf(observation))
    }
    case "unlink":
    case "removeDirectory": {
      const directory = idOf(facts, observation.request.parent)
      const id = facts.get(entryOf(directory, observation.request.name)) as number
      return removed(left(facts, directory, observation.request.name, id), id)
    }
    case "rename":
      return afterRename(facts, observation.request)
    case "readDirectory":
      return afterListing(facts, observation)
    case "getAttributes":
      return shows(facts, idOf(facts, observation.request.inode), attributesOf(observation))
    default:
      return facts
  }
}

const afterCreate = (facts: Facts, observation: ObservationOf<"create">): Facts | undefined => {
  const there = find(facts, observation.request.parent, observation.request.name)
  if (there === undefined) {
    return observation.outcome?.reply?.created === false ? undefined : afterMaking(facts, observation, Mode.S_IFREG)
  }
  return observation.outcome?.reply?.created === true ? undefined : shows(facts, there, attributesOf(observation))
}

type Making =
  | ObservationOf<"create">
  | ObservationOf<"makeDirectory">
  | ObservationOf<"makeNode">
  | ObservationOf<
    "makeSymlink"
  >

const afterMaking = (facts: Facts, observation: Making, type: number): Facts | undefined => {
  const { name, parent } = observation.request
  const attributes = attributesOf(observation)
  if (attributes !== undefined && !isFresh(facts, attributes.inode)) return undefined
  const id = attributes?.inode ?? madeBy(observation)
  return shows(entered(born(facts, id, type), idOf(facts, parent), name, id), id, attributes)
}

const afterRename = (facts: Facts, request: ObservationOf<"rename">["request"]): Facts => {
  const { fromName, mode, toName } = request
  const from = idOf(facts, request.fromParent)
  const to = idOf(facts, request.toParent)
  const moved = facts.get(entryOf(from, fromName)) as number
  const target = facts.get(entryOf(to, toName))
  // Two names of one file: POSIX leaves both alone.
  if (moved === target) return facts
  let next = left(facts, from, fromName, moved)
  if (target !== undefined) next = left(next, to, toName, target)
  next = entered(next, to, toName, moved)
  if (target === undefined) return next
  return mode === "exchange" ? entered(next, from, fromName, target) : removed(next, target)
}

/** A page that is the whole listing says what is there and what is not; `ListingCheck` judges listings of several. */
const afterListing = (facts: Facts, { outcome, request }: ObservationOf<"readDirectory">): Facts | undefined => {
  const listing = outcome?.reply
  const id = idOf(facts, request.inode)
  const whole = listing !== undefined && request.after === "" && listing.end
  if (!whole) return facts
  if (listing.entries.length !== (facts.get(countOf(id)) ?? 0)) return undefined
  let next: Facts | undefined = showsParent(facts, id, listing.parent)
  let before = ""
  for (const entry of listing.entries) {
    if (next === undefined || entry.name <= before) return undefined
    next = showsEntry(next, id, entry)
    before = entry.name
  }
  return next
}

const showsParent = (facts: Facts, directory: number, inode: number): Facts | undefined => {
  const parent = facts.get(parentOf(directory))
  return parent === undefined || isDead(facts, directory) ? facts : isCalled(facts, parent, inode)
}

const showsEntry = (facts: Facts, directory: number, entry: Listing["entries"][number]): Facts | undefined => {
  const id = facts.get(entryOf(directory, entry.name))
  if (id === undefined || facts.get(typeOf(id)) !== entry.type << TYPE_SHIFT) return undefined
  return entry.attributes === undefined ? isCalled(facts, id, entry.inode) : shows(facts, id, entry.attributes)
}

/** From the type of a directory entry to that of a mode. */
const TYPE_SHIFT = 12

/** The facts, if the inode may look so. */
const shows = (facts: Facts, id: number | undefined, attributes: Attributes | undefined): Facts | undefined => {
  if (attributes === undefined || id === undefined) return facts
  const type = facts.get(typeOf(id))
  if (type !== undefined && type !== (attributes.mode & Mode.S_IFMT)) return undefined
  const links = facts.get(linksOf(id))
  if (links !== undefined && links !== attributes.nlink) return undefined
  return isCalled(facts, id, attributes.inode)
}

/** The facts, if the inode may have the number; one that had none yet has it from now on. */
const isCalled = (facts: Facts, id: number, inode: number): Facts | undefined => {
  if (id >= 0) return id === inode ? facts : undefined
  const seen = facts.get(seenOf(id))
  if (seen !== undefined) return seen === inode ? facts : undefined
  return isFresh(facts, inode) ? facts.with(seenOf(id), inode).with(madeOf(inode), id) : undefined
}

const isFresh = (facts: Facts, inode: number): boolean =>
  facts.get(typeOf(inode)) === undefined && facts.get(madeOf(inode)) === undefined

const born = (facts: Facts, id: number, type: number): Facts =>
  facts.with(typeOf(id), type).with(linksOf(id), type === Mode.S_IFDIR ? 2 : 0)

/** The name points to the inode: a link more for a file, and for the directory of a directory. */
const entered = (facts: Facts, directory: number, name: string, id: number): Facts => {
  const next = facts.with(entryOf(directory, name), id)
    .with(countOf(directory), (facts.get(countOf(directory)) ?? 0) + 1)
  if (!isDirectory(facts, id)) return plus(next, linksOf(id), 1)
  return plus(next, linksOf(directory), 1).with(parentOf(id), directory)
}

const left = (facts: Facts, directory: number, name: string, id: number): Facts => {
  const next = plus(facts.with(entryOf(directory, name), undefined), countOf(directory), -1)
  return plus(next, linksOf(isDirectory(facts, id) ? directory : id), -1)
}

/** A directory has one name; with it go the links that it has from within. */
const removed = (facts: Facts, id: number): Facts => (isDirectory(facts, id) ? facts.with(linksOf(id), 0) : facts)

/** Of a number that is known. */
const plus = (facts: Facts, name: string, change: number): Facts => {
  const number = facts.get(name)
  return number === undefined ? facts : facts.with(name, number + change)
}

/** An inode is stale once its last name and its last user are gone, and for ever after. */
const stale = (facts: Facts, observation: Observation): Facts | undefined => {
  const ids = asked(observation).map((inode) => idOf(facts, inode))
  if (ids.some((id) => facts.get(goneOf(id)) !== undefined)) return facts
  const dying = ids.find((id) => isDead(facts, id) || isForeign(facts, id))
  if (dying === undefined) return undefined
  return ids.length === 1 ? facts.with(goneOf(dying), 1) : facts
}

/** An inode that this history has not shown. */
const isForeign = (facts: Facts, id: number): boolean => facts.get(typeOf(id)) === undefined

/** Refusals that no fact can speak for or against: other zones, and what a foreign inode is. */
const isBeyond = (facts: Facts, observation: Observation): boolean => {
  const inodes = asked(observation)
  switch (observation.outcome?.errno) {
    case Errno.EXDEV:
      return inodes[0] !== inodes.at(-1)
    case Errno.ENOTDIR:
    case Errno.EPERM:
      return inodes.some((inode) => isForeign(facts, idOf(facts, inode)))
    default:
      return false
  }
}

/** A walk is as many lookups, which together say a little less than it does; it fails in its reply, never itself. */
const viewsOf = (observation: Observation): ReadonlyArray<Observation> => {
  if (observation.operation !== "walk") return [observation]
  const reply = observation.outcome?.reply
  if (reply === undefined) return isDecided(observation) ? [observation] : []
  const { names, start } = observation.request
  const views: Array<Observation> = reply.found.map((attributes, index) => ({
    ...observation,
    operation: "lookup",
    request: { parent: reply.found[index - 1]?.inode ?? start, name: names[index] ?? "" },
    outcome: { errno: 0, reply: { attributes } }
  }))
  const name = names[reply.found.length]
  if (reply.errno === 0 || name === undefined) return views
  const request = { parent: reply.found.at(-1)?.inode ?? start, name }
  return [...views, { ...observation, operation: "lookup", request, outcome: { errno: reply.errno } }]
}

/** The inodes that the request names; none for an operation that is no affair of directories. */
const asked = (observation: Observation): ReadonlyArray<number> => {
  switch (observation.operation) {
    case "lookup":
    case "create":
    case "makeDirectory":
    case "makeNode":
    case "makeSymlink":
    case "unlink":
    case "removeDirectory":
      return [observation.request.parent]
    case "link":
      return [observation.request.inode, observation.request.parent]
    case "rename":
      return observation.request.fromParent === observation.request.toParent
        ? [observation.request.fromParent]
        : [observation.request.fromParent, observation.request.toParent]
    case "readDirectory":
    case "getAttributes":
      return [observation.request.inode]
    case "walk":
      return [observation.request.start]
    default:
      return []
  }
}

/** The inodes that the reply shows, or might have shown. */
const shown = (observation: Observation): ReadonlyArray<number> => {
  if (observation.operation === "readDirectory") {
    return observation.outcome?.reply?.entries.map(({ inode }) => inode) ?? []
  }
  const attributes = attributesOf(observation)
  if (attributes !== undefined) return [attributes.inode]
  return isDecided(observation) ? [] : [madeBy(observation)]
}

const attributesOf = (observation: Observation): Attributes | undefined => {
  switch (observation.operation) {
    case "lookup":
    case "create":
    case "makeDirectory":
    case "makeNode":
    case "makeSymlink":
    case "link":
    case "getAttributes":
      return observation.outcome?.reply?.attributes
    default:
      return undefined
  }
}
