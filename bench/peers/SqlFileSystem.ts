/**
 * A file system in SQL as the known ones are made: a table of edges, one of nodes, counters; one row and one transaction
 * an operation. Where they differ, the choice is the faster one (docs/peers.md tells each).
 */

/** Clients at once; each works in a directory of its own, so that none waits for another's row. */
export const CLIENTS = 12
const ROOT = 1
const FIRST_DIRECTORY = ROOT + 1
/** Above every inode number that the schema begins with; each client counts in a range of its own. */
const NUMBERS_PER_CLIENT = 1_000_000_000

const MICROS = "(extract(epoch from clock_timestamp()) * 1000000)::bigint"

/** The tables, with so many files in each directory: 99,999 at most. */
export const schemaOf = (filesPerDirectory: number): string => `
  create table node (
    inode bigint primary key, type smallint not null, flags smallint not null, mode integer not null,
    uid integer not null, gid integer not null, atime bigint not null, mtime bigint not null, ctime bigint not null,
    nlink integer not null, length bigint not null, rdev integer not null, parent bigint not null
  );
  create table edge (
    id bigserial primary key, parent bigint not null, name bytea not null, inode bigint not null, type smallint not null,
    unique (parent, name)
  );
  create index on edge (inode);
  create table counter (name text primary key, value bigint not null) with (fillfactor = 50);
  insert into node values (${ROOT}, 2, 0, ${0o755}, 0, 0, 0, 0, 0, ${2 + CLIENTS}, 4096, 0, ${ROOT});
  insert into node
    select number, 2, 0, ${0o755}, 0, 0, 0, 0, 0, 2, 4096, 0, ${ROOT}
    from generate_series(${FIRST_DIRECTORY}, ${FIRST_DIRECTORY + CLIENTS - 1}) as number;
  insert into edge (parent, name, inode, type)
    select ${ROOT}, convert_to('directory.' || inode, 'UTF8'), inode, 2 from node where inode > ${ROOT};
  insert into node
    select 1000000 + directory * 100000 + file, 1, 0, ${0o644}, 0, 0, 0, 0, 0, 1, 0, 0, directory
    from generate_series(${FIRST_DIRECTORY}, ${FIRST_DIRECTORY + CLIENTS - 1}) as directory,
      generate_series(1, ${filesPerDirectory}) as file;
  insert into edge (parent, name, inode, type)
    select parent, convert_to('file.mdtest.' || inode % 100000, 'UTF8'), inode, 1 from node where type = 1;
  insert into counter select 'inodes.' || client, 0 from generate_series(0, ${CLIENTS - 1}) as client;
  analyze node;
  analyze edge;
  analyze counter;`

/** Variables that CREATE's clients begin with. */
export const CREATE_VARIABLES = { made: 0 }

/** One file more in the client's directory. */
export const CREATE = `\
\\set made :made + 1
\\set parent ${FIRST_DIRECTORY} + :client_id
\\set inode ${NUMBERS_PER_CLIENT} * (:client_id + 1) + :made
begin;
select type, flags, mode, uid, gid, nlink, mtime from node where inode = :parent;
select inode, type from edge where parent = :parent and name = convert_to('file.new.' || :made::bigint, 'UTF8');
insert into edge (parent, name, inode, type) values (:parent, convert_to('file.new.' || :made::bigint, 'UTF8'), :inode, 1);
insert into node values (:inode, 1, 0, ${0o644}, 0, 0, ${MICROS}, ${MICROS}, ${MICROS}, 1, 0, 0, :parent);
update node set mtime = ${MICROS}, ctime = ${MICROS} where inode = :parent;
update counter set value = value + 1 where name = 'inodes.' || :client_id::bigint;
commit;
`

/** Variables that STAT's clients begin with. */
export const statVariables = (filesPerDirectory: number) => ({ files: filesPerDirectory })

/** Name to attributes, of a random file that the schema holds. */
export const STAT = `\
\\set parent random(${FIRST_DIRECTORY}, ${FIRST_DIRECTORY + CLIENTS - 1})
\\set file random(1, :files)
select node.* from edge join node on node.inode = edge.inode where edge.parent = :parent and edge.name = convert_to('file.mdtest.' || :file::bigint, 'UTF8');
`
