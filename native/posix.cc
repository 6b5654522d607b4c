// The system calls that Node lacks or rounds: nanosecond times, special files, extended attributes, holes, byte
// paths, and the allocator's own. It decides nothing and keeps nothing; `Posix.ts` is its face and says what each
// call means.
//
// Every call answers as the kernel does: a number from 0 or a value on success, -errno on failure. Only an argument
// of the wrong type throws. All calls are synchronous and run on the calling thread.

#include <dirent.h>
#include <fcntl.h>
#include <limits.h>
#include <malloc.h>
#include <sys/stat.h>
#include <sys/statfs.h>
#include <sys/syscall.h>
#include <sys/xattr.h>
#include <unistd.h>

#include <cerrno>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <string>
#include <vector>

#include <napi.h>

namespace {

constexpr size_t kXattrNameBytesMax = 255;
constexpr size_t kXattrBytesMax = 64 * 1024;
constexpr size_t kListingBytes = 64 * 1024;
constexpr size_t kStatFields = 15;

int64_t Outcome(int64_t result) { return result < 0 ? -static_cast<int64_t>(errno) : result; }

// The arguments of one call. Reading a wrong one leaves a fault, which the call looks at once, before it acts.
class Arguments {
 public:
  explicit Arguments(const Napi::CallbackInfo& info) : info_(info) {}

  Napi::Env env() const { return info_.Env(); }
  // Negative: what the call has to answer instead of acting.
  int64_t fault() const { return fault_; }
  bool misused() const { return misused_; }

  void Refuse(int error) {
    if (fault_ == 0) fault_ = -error;
  }
  void Misuse(size_t index, const char* wanted) {
    if (!misused_) {
      std::string text = "argument " + std::to_string(index + 1) + " must be " + wanted;
      Napi::TypeError::New(env(), text).ThrowAsJavaScriptException();
    }
    misused_ = true;
    Refuse(EINVAL);
  }

  int64_t Integer(size_t index) {
    Napi::Value value = info_[index];
    if (value.IsNumber()) return value.As<Napi::Number>().Int64Value();
    Misuse(index, "a number");
    return 0;
  }

  bool Flag(size_t index) {
    Napi::Value value = info_[index];
    if (value.IsBoolean()) return value.As<Napi::Boolean>().Value();
    Misuse(index, "a boolean");
    return false;
  }

  struct Bytes {
    char* data = nullptr;
    size_t length = 0;
  };

  Bytes Buffer(size_t index) {
    Napi::Value value = info_[index];
    Bytes bytes;
    void* data = nullptr;
    if (value.IsBuffer() && napi_get_buffer_info(env(), value, &data, &bytes.length) == napi_ok) {
      bytes.data = static_cast<char*>(data);
    } else {
      Misuse(index, "a Uint8Array");
    }
    return bytes;
  }

  // Where the fields of `stat` go: a Float64Array, or a BigInt64Array where 53 bits do not do.
  struct Fields {
    double* doubles = nullptr;
    int64_t* integers = nullptr;

    void Set(size_t field, int64_t value) const {
      if (doubles != nullptr) {
        doubles[field] = static_cast<double>(value);
      } else {
        integers[field] = value;
      }
    }
  };

  Fields StatFields(size_t index) {
    Fields fields;
    napi_typedarray_type type;
    size_t length = 0;
    void* data = nullptr;
    Napi::Value value = info_[index];
    bool typed = value.IsTypedArray() &&
                 napi_get_typedarray_info(env(), value, &type, &length, &data, nullptr, nullptr) == napi_ok;
    if (typed && length >= kStatFields && type == napi_float64_array) {
      fields.doubles = static_cast<double*>(data);
    } else if (typed && length >= kStatFields && type == napi_bigint64_array) {
      fields.integers = static_cast<int64_t*>(data);
    } else {
      Misuse(index, "a Float64Array or BigInt64Array with room for every field");
    }
    return fields;
  }

  Napi::Value operator[](size_t index) const { return info_[index]; }

 private:
  const Napi::CallbackInfo& info_;
  int64_t fault_ = 0;
  bool misused_ = false;
};

// A byte string from the caller with the zero that the kernel wants at its end.
template <size_t BytesMax, int TooLong>
class CString {
 public:
  CString(Arguments& arguments, size_t index) {
    Arguments::Bytes bytes = arguments.Buffer(index);
    if (bytes.length > BytesMax) {
      arguments.Refuse(TooLong);
    } else if (bytes.length > 0 && memchr(bytes.data, 0, bytes.length) != nullptr) {
      arguments.Refuse(EINVAL);
    } else {
      if (bytes.length > 0) memcpy(text_, bytes.data, bytes.length);
      text_[bytes.length] = 0;
    }
  }
  operator const char*() const { return text_; }

 private:
  char text_[BytesMax + 1];
};

using Path = CString<PATH_MAX - 1, ENAMETOOLONG>;
using XattrName = CString<kXattrNameBytesMax, ERANGE>;

// ---- Attributes ----------------------------------------------------------------------------------------------

int64_t FillStat(const Arguments::Fields& out, int result, const struct stat& found) {
  if (result < 0) return Outcome(result);
  const int64_t fields[kStatFields] = {
      static_cast<int64_t>(found.st_mode),   static_cast<int64_t>(found.st_uid),
      static_cast<int64_t>(found.st_gid),    static_cast<int64_t>(found.st_nlink),
      static_cast<int64_t>(found.st_size),   static_cast<int64_t>(found.st_rdev),
      static_cast<int64_t>(found.st_dev),    static_cast<int64_t>(found.st_ino),
      static_cast<int64_t>(found.st_blocks), found.st_atim.tv_sec,
      found.st_atim.tv_nsec,                 found.st_mtim.tv_sec,
      found.st_mtim.tv_nsec,                 found.st_ctim.tv_sec,
      found.st_ctim.tv_nsec};
  for (size_t field = 0; field < kStatFields; field++) out.Set(field, fields[field]);
  return 0;
}

int64_t Lstat(Arguments& a) {
  Path path(a, 0);
  Arguments::Fields out = a.StatFields(1);
  if (a.fault() < 0) return a.fault();
  struct stat found;
  int result = lstat(path, &found);
  return FillStat(out, result, found);
}

int64_t Fstat(Arguments& a) {
  int fd = a.Integer(0);
  Arguments::Fields out = a.StatFields(1);
  if (a.fault() < 0) return a.fault();
  struct stat found;
  int result = fstat(fd, &found);
  return FillStat(out, result, found);
}

int64_t Utimensat(Arguments& a) {
  Path path(a, 0);
  struct timespec times[2];
  times[0].tv_sec = a.Integer(1);
  times[0].tv_nsec = a.Integer(2);
  times[1].tv_sec = a.Integer(3);
  times[1].tv_nsec = a.Integer(4);
  bool nofollow = a.Flag(5);
  if (a.fault() < 0) return a.fault();
  return Outcome(utimensat(AT_FDCWD, path, times, nofollow ? AT_SYMLINK_NOFOLLOW : 0));
}

int64_t Chmod(Arguments& a) {
  Path path(a, 0);
  mode_t mode = a.Integer(1);
  if (a.fault() < 0) return a.fault();
  return Outcome(fchmodat(AT_FDCWD, path, mode, 0));
}

int64_t Lchown(Arguments& a) {
  Path path(a, 0);
  uid_t uid = a.Integer(1);
  gid_t gid = a.Integer(2);
  if (a.fault() < 0) return a.fault();
  return Outcome(lchown(path, uid, gid));
}

int64_t Access(Arguments& a) {
  Path path(a, 0);
  int wanted = a.Integer(1);
  if (a.fault() < 0) return a.fault();
  return Outcome(faccessat(AT_FDCWD, path, wanted, AT_EACCESS));
}

// ---- Names ---------------------------------------------------------------------------------------------------

int64_t Mknod(Arguments& a) {
  Path path(a, 0);
  mode_t mode = a.Integer(1);
  dev_t rdev = a.Integer(2);
  if (a.fault() < 0) return a.fault();
  return Outcome(mknod(path, mode, rdev));
}

int64_t Mkdir(Arguments& a) {
  Path path(a, 0);
  mode_t mode = a.Integer(1);
  if (a.fault() < 0) return a.fault();
  return Outcome(mkdir(path, mode));
}

int64_t Symlink(Arguments& a) {
  Path target(a, 0);
  Path path(a, 1);
  if (a.fault() < 0) return a.fault();
  return Outcome(symlink(target, path));
}

Napi::Value Readlink(Arguments& a) {
  Path path(a, 0);
  char target[PATH_MAX];
  ssize_t length = a.fault() < 0 ? a.fault() : Outcome(readlink(path, target, sizeof target));
  if (length < 0) return Napi::Number::New(a.env(), length);
  return Napi::Buffer<char>::Copy(a.env(), target, length);
}

int64_t Link(Arguments& a) {
  Path from(a, 0);
  Path to(a, 1);
  if (a.fault() < 0) return a.fault();
  return Outcome(linkat(AT_FDCWD, from, AT_FDCWD, to, 0));
}

int64_t Rename(Arguments& a) {
  Path from(a, 0);
  Path to(a, 1);
  unsigned flags = a.Integer(2);
  if (a.fault() < 0) return a.fault();
  return Outcome(syscall(SYS_renameat2, AT_FDCWD, static_cast<const char*>(from), AT_FDCWD,
                         static_cast<const char*>(to), flags));
}

int64_t Unlink(Arguments& a) {
  Path path(a, 0);
  if (a.fault() < 0) return a.fault();
  return Outcome(unlink(path));
}

int64_t Rmdir(Arguments& a) {
  Path path(a, 0);
  if (a.fault() < 0) return a.fault();
  return Outcome(rmdir(path));
}

struct KernelDirent {
  uint64_t ino;
  int64_t offset;
  uint16_t bytes;
  uint8_t type;
  char name[];
};

// Appends one record an entry: type in a byte, length of the name in two (little-endian), the name.
void AppendEntry(std::vector<char>& listing, const KernelDirent& entry) {
  size_t length = strlen(entry.name);
  bool dots = entry.name[0] == '.' && (length == 1 || (length == 2 && entry.name[1] == '.'));
  if (dots) return;
  listing.push_back(static_cast<char>(entry.type));
  listing.push_back(static_cast<char>(length & 255));
  listing.push_back(static_cast<char>(length >> 8));
  listing.insert(listing.end(), entry.name, entry.name + length);
}

int64_t List(const char* path, std::vector<char>& listing) {
  int fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  if (fd < 0) return Outcome(fd);
  alignas(KernelDirent) char chunk[kListingBytes];
  int64_t bytes;
  while ((bytes = Outcome(syscall(SYS_getdents64, fd, chunk, sizeof chunk))) > 0) {
    for (int64_t at = 0; at < bytes;) {
      const KernelDirent* entry = reinterpret_cast<const KernelDirent*>(chunk + at);
      AppendEntry(listing, *entry);
      at += entry->bytes;
    }
  }
  close(fd);
  return bytes;
}

Napi::Value Scandir(Arguments& a) {
  Path path(a, 0);
  std::vector<char> listing;
  int64_t result = a.fault() < 0 ? a.fault() : List(path, listing);
  if (result < 0) return Napi::Number::New(a.env(), result);
  return Napi::Buffer<char>::Copy(a.env(), listing.data(), listing.size());
}

// ---- Contents ------------------------------------------------------------------------------------------------

int64_t Open(Arguments& a) {
  Path path(a, 0);
  int flags = a.Integer(1);
  mode_t mode = a.Integer(2);
  if (a.fault() < 0) return a.fault();
  return Outcome(open(path, flags | O_CLOEXEC, mode));
}

int64_t Close(Arguments& a) {
  int fd = a.Integer(0);
  if (a.fault() < 0) return a.fault();
  return Outcome(close(fd));
}

int64_t Truncate(Arguments& a) {
  Path path(a, 0);
  off_t size = a.Integer(1);
  if (a.fault() < 0) return a.fault();
  return Outcome(truncate(path, size));
}

int64_t Ftruncate(Arguments& a) {
  int fd = a.Integer(0);
  off_t size = a.Integer(1);
  if (a.fault() < 0) return a.fault();
  return Outcome(ftruncate(fd, size));
}

int64_t Fallocate(Arguments& a) {
  int fd = a.Integer(0);
  int mode = a.Integer(1);
  off_t offset = a.Integer(2);
  off_t length = a.Integer(3);
  if (a.fault() < 0) return a.fault();
  return Outcome(fallocate(fd, mode, offset, length));
}

int64_t Lseek(Arguments& a) {
  int fd = a.Integer(0);
  off_t offset = a.Integer(1);
  int whence = a.Integer(2);
  if (a.fault() < 0) return a.fault();
  return Outcome(lseek(fd, offset, whence));
}

int64_t Pread(Arguments& a) {
  int fd = a.Integer(0);
  Arguments::Bytes into = a.Buffer(1);
  off_t offset = a.Integer(2);
  if (a.fault() < 0) return a.fault();
  return Outcome(pread(fd, into.data, into.length, offset));
}

int64_t Pwrite(Arguments& a) {
  int fd = a.Integer(0);
  Arguments::Bytes from = a.Buffer(1);
  off_t offset = a.Integer(2);
  if (a.fault() < 0) return a.fault();
  return Outcome(pwrite(fd, from.data, from.length, offset));
}

int64_t CopyFileRange(Arguments& a) {
  int from = a.Integer(0);
  off64_t fromOffset = a.Integer(1);
  int to = a.Integer(2);
  off64_t toOffset = a.Integer(3);
  size_t length = a.Integer(4);
  if (a.fault() < 0) return a.fault();
  return Outcome(copy_file_range(from, &fromOffset, to, &toOffset, length, 0));
}

// ---- Extended attributes -------------------------------------------------------------------------------------

Napi::Value Lgetxattr(Arguments& a) {
  Path path(a, 0);
  XattrName name(a, 1);
  char value[kXattrBytesMax];
  ssize_t length = a.fault() < 0 ? a.fault() : Outcome(lgetxattr(path, name, value, sizeof value));
  if (length < 0) return Napi::Number::New(a.env(), length);
  return Napi::Buffer<char>::Copy(a.env(), value, length);
}

int64_t Lsetxattr(Arguments& a) {
  Path path(a, 0);
  XattrName name(a, 1);
  Arguments::Bytes value = a.Buffer(2);
  int flags = a.Integer(3);
  if (a.fault() < 0) return a.fault();
  return Outcome(lsetxattr(path, name, value.data, value.length, flags));
}

int64_t Lremovexattr(Arguments& a) {
  Path path(a, 0);
  XattrName name(a, 1);
  if (a.fault() < 0) return a.fault();
  return Outcome(lremovexattr(path, name));
}

Napi::Value Llistxattr(Arguments& a) {
  Path path(a, 0);
  char names[kXattrBytesMax];
  ssize_t length = a.fault() < 0 ? a.fault() : Outcome(llistxattr(path, names, sizeof names));
  if (length < 0) return Napi::Number::New(a.env(), length);
  Napi::Array list = Napi::Array::New(a.env());
  uint32_t count = 0;
  for (const char* name = names; name < names + length; name += strlen(name) + 1) {
    list.Set(count++, Napi::Buffer<char>::Copy(a.env(), name, strlen(name)));
  }
  return list;
}

// ---- File system and process ---------------------------------------------------------------------------------

Napi::Value Statfs(Arguments& a) {
  Path path(a, 0);
  struct statfs found;
  int64_t result = a.fault() < 0 ? a.fault() : Outcome(statfs(path, &found));
  if (result < 0) return Napi::Number::New(a.env(), result);
  Napi::Object out = Napi::Object::New(a.env());
  out.Set("type", static_cast<double>(static_cast<uint32_t>(found.f_type)));
  out.Set("blockBytes", static_cast<double>(found.f_bsize));
  out.Set("blocks", static_cast<double>(found.f_blocks));
  out.Set("blocksAvailable", static_cast<double>(found.f_bavail));
  return out;
}

int64_t SetUmask(Arguments& a) {
  mode_t mask = a.Integer(0);
  if (a.fault() < 0) return a.fault();
  return umask(mask);
}

// The effective identity of the calling thread alone. libc would change all threads, so these are raw calls.
struct Identity {
  uid_t uid;
  gid_t gid;
  std::vector<gid_t> groups;
};

int64_t CurrentIdentity(Identity& out) {
  out.uid = geteuid();
  out.gid = getegid();
  int count = getgroups(0, nullptr);
  if (count < 0) return Outcome(count);
  out.groups.resize(count);
  return Outcome(getgroups(count, out.groups.data()));
}

int64_t SetGroups(const std::vector<gid_t>& groups) {
  return Outcome(syscall(SYS_setgroups, groups.size(), groups.data()));
}
int64_t SetEffectiveGid(gid_t gid) { return Outcome(syscall(SYS_setresgid, -1, gid, -1)); }
int64_t SetEffectiveUid(uid_t uid) { return Outcome(syscall(SYS_setresuid, -1, uid, -1)); }

// The uid goes last on the way out and first on the way back: it takes the right to change the rest with it.
int64_t TakeOn(const Identity& wanted) {
  int64_t result = SetGroups(wanted.groups);
  if (result >= 0) result = SetEffectiveGid(wanted.gid);
  if (result >= 0) result = SetEffectiveUid(wanted.uid);
  return result;
}

// A process that goes on under a wrong identity is worse than none.
void Restore(const Identity& before) {
  if (SetEffectiveUid(before.uid) >= 0 && SetEffectiveGid(before.gid) >= 0 && SetGroups(before.groups) >= 0) return;
  fprintf(stderr, "native/posix.cc: the thread cannot become user %u again: %s\n", before.uid, strerror(errno));
  abort();
}

int64_t AsUser(Arguments& a) {
  Identity wanted;
  wanted.uid = a.Integer(0);
  wanted.gid = a.Integer(1);
  Napi::Value groups = a[2];
  if (groups.IsTypedArray() && groups.As<Napi::TypedArray>().TypedArrayType() == napi_uint32_array) {
    Napi::Uint32Array list = groups.As<Napi::Uint32Array>();
    wanted.groups.assign(list.Data(), list.Data() + list.ElementLength());
  } else {
    a.Misuse(2, "a Uint32Array");
  }
  if (!a[3].IsFunction()) a.Misuse(3, "a function");
  if (a.fault() < 0) return a.fault();

  Identity before;
  int64_t result = CurrentIdentity(before);
  if (result < 0) return result;
  // Who may not set groups may not take on anything, and nothing has to be undone.
  result = SetGroups(before.groups);
  if (result < 0) return result;
  result = TakeOn(wanted);
  // An exception of the function stays pending and reaches the caller after the identity is back.
  if (result >= 0) a[3].As<Napi::Function>().Call({});
  Restore(before);
  return result < 0 ? result : 0;
}

// ---- Memory --------------------------------------------------------------------------------------------------

int64_t TrimMemory(Arguments&) {
#ifdef __GLIBC__
  return malloc_trim(0);
#else
  return 0;
#endif
}

// ---- Registration --------------------------------------------------------------------------------------------

template <int64_t (*Call)(Arguments&)>
Napi::Value Number(const Napi::CallbackInfo& info) {
  Arguments arguments(info);
  int64_t result = Call(arguments);
  if (info.Env().IsExceptionPending()) return Napi::Value();
  return Napi::Number::New(info.Env(), static_cast<double>(result));
}

template <Napi::Value (*Call)(Arguments&)>
Napi::Value Value(const Napi::CallbackInfo& info) {
  Arguments arguments(info);
  Napi::Value result = Call(arguments);
  return arguments.misused() ? Napi::Value() : result;
}

// A thread starts with the identity of the one that starts it. The first work of Node's pool starts its threads: it
// happens here, so that it never happens in `AsUser`, which would give them an ordinary user's rights for good.
class FirstWork : public Napi::AsyncWorker {
 public:
  explicit FirstWork(Napi::Env env) : Napi::AsyncWorker(env, "posix") {}
  void Execute() override {}
};

Napi::Object Init(Napi::Env env, Napi::Object exports) {
  (new FirstWork(env))->Queue();
  const auto add = [&](const char* name, Napi::Value (*call)(const Napi::CallbackInfo&)) {
    exports.Set(name, Napi::Function::New(env, call, name));
  };
  add("lstat", Number<Lstat>);
  add("fstat", Number<Fstat>);
  add("utimensat", Number<Utimensat>);
  add("chmod", Number<Chmod>);
  add("lchown", Number<Lchown>);
  add("access", Number<Access>);
  add("mknod", Number<Mknod>);
  add("mkdir", Number<Mkdir>);
  add("symlink", Number<Symlink>);
  add("readlink", Value<Readlink>);
  add("link", Number<Link>);
  add("rename", Number<Rename>);
  add("unlink", Number<Unlink>);
  add("rmdir", Number<Rmdir>);
  add("scandir", Value<Scandir>);
  add("open", Number<Open>);
  add("close", Number<Close>);
  add("truncate", Number<Truncate>);
  add("ftruncate", Number<Ftruncate>);
  add("fallocate", Number<Fallocate>);
  add("lseek", Number<Lseek>);
  add("pread", Number<Pread>);
  add("pwrite", Number<Pwrite>);
  add("copyFileRange", Number<CopyFileRange>);
  add("lgetxattr", Value<Lgetxattr>);
  add("lsetxattr", Number<Lsetxattr>);
  add("lremovexattr", Number<Lremovexattr>);
  add("llistxattr", Value<Llistxattr>);
  add("statfs", Value<Statfs>);
  add("setUmask", Number<SetUmask>);
  add("trimMemory", Number<TrimMemory>);
  add("asUser", Number<AsUser>);
  return exports;
}

}  // namespace

NODE_API_MODULE(posix, Init)
