/* A disk and a system that fail when they are told to, for a process that has this loaded before its C library.
 *
 * Files in the folder that FAULTS names say what goes wrong:
 *   sync:NAME   the next fsync of a file whose name ends in NAME fails, and what was written since the last one is lost,
 *               as on a disk that did not take it; the file is deleted, for the system tells of a failure once
 *   write:NAME  the next write to such a file fails; the file is deleted
 *   full        no file grows
 *   threads     there are no more threads
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* What was in a file before something was written there. */
struct before {
    struct before *earlier;
    int fd;
    off_t at, end;
    size_t length;
    char octets[];
};

static struct before *unsynced;
static pthread_mutex_t guard = PTHREAD_MUTEX_INITIALIZER;

#define REAL(name) ((typeof(&name))dlsym(RTLD_NEXT, #name))

static const char *fault(char *path, size_t room, const char *what)
{
    const char *folder = getenv("FAULTS");
    if (folder == NULL)
        return NULL;
    snprintf(path, room, "%s/%s", folder, what);
    return access(path, F_OK) == 0 ? path : NULL;
}

/* Whether the file is one of the database's; its name. */
static int is_database(int fd, char *name, size_t room)
{
    char link[64];
    snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
    ssize_t length = readlink(link, name, room - 1);
    if (length < 0)
        return 0;
    name[length] = 0;
    const char *last = strrchr(name, '/');
    return last != NULL && strncmp(last, "/estd.db", 8) == 0;
}

/* Whether that is to fail now for this file; once. */
static int fails(const char *what, const char *name)
{
    char path[512], kind[64];
    snprintf(kind, sizeof kind, "%s:%s", what, strrchr(name, '/') + 1);
    return fault(path, sizeof path, kind) != NULL && unlink(path) == 0;
}

static ssize_t changed(int fd, const void *octets, size_t length, off_t at)
{
    char name[512], path[512];
    struct stat now;
    if (!is_database(fd, name, sizeof name))
        return REAL(pwrite)(fd, octets, length, at);
    if (fails("write", name)) {
        errno = EIO;
        return -1;
    }
    fstat(fd, &now);
    if (fault(path, sizeof path, "full") != NULL && at + (off_t)length > now.st_size) {
        errno = ENOSPC;
        return -1;
    }
    struct before *before = malloc(sizeof *before + length);
    ssize_t old = pread(fd, before->octets, length, at);
    *before = (struct before){unsynced, fd, at, now.st_size, old < 0 ? 0 : (size_t)old};
    unsynced = before;
    return REAL(pwrite)(fd, octets, length, at);
}

ssize_t pwrite(int fd, const void *octets, size_t length, off_t at)
{
    pthread_mutex_lock(&guard);
    ssize_t done = changed(fd, octets, length, at);
    pthread_mutex_unlock(&guard);
    return done;
}

ssize_t pwrite64(int fd, const void *octets, size_t length, off_t at)
{
    return pwrite(fd, octets, length, at);
}

/* Forgets what was written to a file since its last sync, or takes it back, the last first. */
static void settle(int fd, int take_back)
{
    for (struct before **next = &unsynced; *next != NULL;) {
        struct before *before = *next;
        if (before->fd != fd) {
            next = &before->earlier;
            continue;
        }
        if (take_back
            && (REAL(pwrite)(fd, before->octets, before->length, before->at) < 0 || ftruncate(fd, before->end) < 0))
            abort();
        *next = before->earlier;
        free(before);
    }
}

static int synced(int fd, int (*sync)(int))
{
    char name[512];
    pthread_mutex_lock(&guard);
    int is_ours = is_database(fd, name, sizeof name), is_lost = is_ours && fails("sync", name);
    if (is_ours)
        settle(fd, is_lost);
    pthread_mutex_unlock(&guard);
    if (is_lost) {
        errno = EIO;
        return -1;
    }
    return sync(fd);
}

int fsync(int fd)
{
    return synced(fd, REAL(fsync));
}

int fdatasync(int fd)
{
    return synced(fd, REAL(fdatasync));
}

int pthread_create(pthread_t *thread, const pthread_attr_t *attributes, void *(*run)(void *), void *argument)
{
    char path[512];
    if (fault(path, sizeof path, "threads") != NULL)
        return EAGAIN;
    return REAL(pthread_create)(thread, attributes, run, argument);
}
