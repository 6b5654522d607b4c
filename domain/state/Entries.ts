/**
 * The entries of one directory: names in byte order, each with its inode, in runs of bounded length.
 * Finding one is two binary searches; inserting moves at most one run.
 */
import type { InodeNumber } from "#domain/InodeNumber.ts"
import type { Name } from "#domain/Name.ts"

const RUN_MAX = 256

interface Run {
  readonly names: Array<Name>
  readonly inodes: Array<InodeNumber>
}

export class Entries {
  private readonly runs: Array<Run> = []
  size = 0

  /** The inode that the name points to. */
  get(name: Name): InodeNumber | undefined {
    const run = this.runs[this.runFor(name)]
    if (run === undefined) return undefined
    const at = lowerBound(run.names, name)
    return run.names[at] === name ? run.inodes[at] : undefined
  }

  /** Adds a name, or points an existing one to another inode. */
  set(name: Name, inode: InodeNumber): void {
    const index = this.runFor(name)
    const run = this.runs[index]
    if (run === undefined) {
      this.runs.push({ names: [name], inodes: [inode] })
      this.size = 1
      return
    }
    const at = lowerBound(run.names, name)
    if (run.names[at] === name) {
      run.inodes[at] = inode
      return
    }
    insert(run.names, at, name)
    insert(run.inodes, at, inode)
    this.size++
    if (run.names.length > RUN_MAX) {
      // A run that grew at its end is filled in order: leave it full, so that ordered creates pack densely.
      const cut = at === RUN_MAX ? RUN_MAX : RUN_MAX / 2
      this.runs.splice(index + 1, 0, { names: run.names.splice(cut), inodes: run.inodes.splice(cut) })
    }
  }

  delete(name: Name): boolean {
    const index = this.runFor(name)
    const run = this.runs[index]
    if (run === undefined) return false
    const at = lowerBound(run.names, name)
    if (run.names[at] !== name) return false
    run.names.splice(at, 1)
    run.inodes.splice(at, 1)
    this.size--
    if (run.names.length === 0) this.runs.splice(index, 1)
    return true
  }

  /**
   * Visits names in byte order, strictly after `after` ("" from the start), until `visit` answers false.
   */
  walk(after: Name, visit: (name: Name, inode: InodeNumber) => boolean): void {
    for (let index = after === "" ? 0 : this.runFor(after); index < this.runs.length; index++) {
      const run = this.runs[index] as Run
      let at = lowerBound(run.names, after)
      if (run.names[at] === after) at++
      for (; at < run.names.length; at++) {
        if (!visit(run.names[at] as Name, run.inodes[at] as InodeNumber)) return
      }
    }
  }

  /** The run that holds the name or is the place for it: the last one that starts at or before it. */
  private runFor(name: Name): number {
    let low = 0
    let high = this.runs.length
    while (low < high) {
      const middle = (low + high) >>> 1
      if (((this.runs[middle] as Run).names[0] as Name) <= name) low = middle + 1
      else high = middle
    }
    return low === 0 ? 0 : low - 1
  }
}

const lowerBound = (names: ReadonlyArray<Name>, name: Name): number => {
  let low = 0
  let high = names.length
  while (low < high) {
    const middle = (low + high) >>> 1
    if ((names[middle] as Name) < name) low = middle + 1
    else high = middle
  }
  return low
}

const insert = <A>(list: Array<A>, at: number, item: A): void => {
  if (at === list.length) list.push(item)
  else list.splice(at, 0, item)
}
