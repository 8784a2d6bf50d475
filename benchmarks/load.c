/* The members of a chat room, all in one process: they talk, they listen, they check what they hear.
 *
 *     load port=9999 pid=1234 dialect=ndjson workload=saturated members=100 talkers=100
 *
 * One thread, one epoll. The result is one JSON object on standard output; `"ok":false` and a reason
 * when the run is void.
 *
 * What is checked: the first listener to hear a message writes it down (the log) and makes sure that
 * it is the next one of its talker, unchanged and under the talker's name. Every other listener must
 * then hear exactly the same bytes at exactly that place. So a message that is lost, doubled, changed
 * or out of order for anybody ends the run. What is not a message (somebody joined) is skipped.
 *
 * Where a talker does not hear itself (plain lines, IRC) one more member listens and never talks: it
 * alone knows everybody's order when all others talk. A message is then `members` deliveries in every
 * dialect. A message is answered when half of the room has heard it; a talker has at most `window`
 * unanswered ones.
 *
 * A room may be on several servers: with `port=9001,9002 pid=17,18` members are at them in turns, and what
 * is checked is checked across them; with `away=1` talkers are at the first, all others at the last. `beside=19`
 * is a process whose CPU is told apart. With `checking=20` only the first 20 members look at what they hear; of what
 * the others hear only the bytes are counted, and thrown away unread: so the generator takes less of the machine.
 *
 * With `tls=1` all of it goes through TLS, whatever the server's certificate: compiled with -DWITH_TLS.
 *
 * Over WebSocket each message is a masked frame of its own, as browsers send it; with `together=1`
 * what a talker says at once is one frame of several lines. What frames bring is read as lines.
 */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/tcp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/timerfd.h>
#include <time.h>
#include <unistd.h>
#ifdef WITH_TLS
#include <openssl/ssl.h>
#endif

enum { TEXT = 64, LINE = 320, CHUNK = 1 << 18, BUFFER = 1 << 23, EVENTS = 1024, SENT = 1024 };
static const char FILLER[] = "the quick brown fox jumps over the lazy dog, twice";

/* ---- dialects */

struct dialect {
    const char *name;
    const char *hello;   /* sent first, with the member's number */
    const char *welcome; /* stands in the line that lets a member in */
    const char *before, *after; /* around the text of a message that is sent */
    const char *frame;   /* how a delivered message starts, where it is more than one line */
    const char *author;  /* stands in a delivered message, with the talker's number */
    size_t tail;         /* bytes after the text of a delivered message */
    bool echoes;         /* talkers hear themselves */
    bool apart;          /* talkers have connections of their own */
    bool framed;         /* lines travel in frames of WebSocket */
};

static const struct dialect DIALECTS[] = {
    {"ndjson", "{\"type\":\"join\",\"handle\":\"m%04x\"}\n", "\"type\":\"welcome\"",
     "{\"type\":\"say\",\"text\":\"", "\"}\n", NULL, "\"handle\":\"m%04x\"", 3, true, false, false},
    {"web", "{\"type\":\"join\",\"handle\":\"m%04x\"}\n", "\"type\":\"welcome\"",
     "{\"type\":\"say\",\"text\":\"", "\"}\n", NULL, "\"handle\":\"m%04x\"", 3, true, false, true},
    {"plain", "m%04x\n", "connected. You are", "", "\n", NULL, "m%04x> ", 1, false, false, false},
    {"line", NULL, "* welcome", "", "\n", NULL, NULL, 1, true, false, false},
    {"web-line", NULL, "* welcome", "", "\n", NULL, NULL, 1, true, false, true},
    {"irc", "NICK m%04x\r\nUSER m 0 * :m\r\nJOIN #c\r\n", " 366 ", "PRIVMSG #c :", "\r\n", NULL,
     ":m%04x!", 2, false, false, false},
    {"irc-room", "NICK m%04x\r\nUSER m 0 * :m\r\n", " 366 ", "PRIVMSG #room :", "\r\n", NULL,
     ":m%04x!", 2, false, false, false},
    {"redis", "SUBSCRIBE c\r\n", "subscribe", "*3\r\n$7\r\nPUBLISH\r\n$1\r\nc\r\n$64\r\n", "\r\n",
     "*3\r\n$7\r\nmessage\r\n$1\r\nc\r\n$64\r\n", NULL, 2, true, true, false},
};

/* ---- what there is */

/* In clear text, as browsers ask; the key is the one of RFC 6455. */
static const char UPGRADE[] = "GET /ws HTTP/1.1\r\nHost: 127.0.0.1:%d\r\nUpgrade: websocket\r\n"
                              "Connection: Upgrade\r\nSec-WebSocket-Version: 13\r\n"
                              "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n";

enum state { CONNECTING, SHAKING, UPGRADING, JOINING, JOINED };

struct conn {
    int fd;
    struct ssl_st *tls; /* NULL where nothing is encrypted */
    unsigned number;
    enum state state;
    bool hears, talks, leads, stalled, counts, ready, blocked;
    unsigned synced;
    uint64_t bytes; /* of all messages, where it only counts */
    char *rest; /* the start of a message whose end has not come yet */
    size_t rest_length, rest_room;
    uint64_t place; /* in the log: the next one to hear */
    char *out;      /* not yet taken by the socket */
    size_t out_start, out_end, out_room;
    char *lines;    /* to go in one frame */
    size_t lines_length, lines_room;
    unsigned char head[10]; /* of a frame, as far as it has come */
    unsigned head_length;
    uint64_t frame_left; /* of its payload */
    unsigned credit, said, heard;
    double sent[SENT]; /* when, by sequence number */
};

struct entry { /* of the log; a slot is used again when all have heard its message */
    unsigned talker, length, count;
    uint64_t end; /* bytes of this one and all before it */
    double sent;
    char line[LINE];
};

struct list {
    int count, at[8];
};

static struct {
    struct list port, pid;
    int beside, away, checking, members, talkers, window, stalled, fill, deadline, tls, together;
    double warmup, seconds, rate, idle;
    const char *workload;
} option = {.checking = 1 << 30, .members = 100, .talkers = 1, .window = 64, .deadline = 120, .warmup = 0.5, .seconds = 2,
            .rate = 50, .idle = 5, .workload = "saturated"};

static const struct dialect *dialect;
static struct conn *conns;
static struct conn **talkers;
static int connections, epoll, timer;
static struct conn **ready, **blocked;
static int ready_count, blocked_count;
static struct entry *ring;
static uint64_t ring_mask, head, log_bytes;
static char *buffer;

static uint64_t posted, completed, deliveries;
static unsigned syncing, synced_count, joined_count;
static bool measuring_latency, windowed;
static double now, completed_at;
static float *samples;
static size_t sample_count, sample_room;

/* ---- small things */

static void fail(const char *format, ...) {
    char why[256];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(why, sizeof why, format, arguments);
    va_end(arguments);
    dprintf(1, "{\"ok\":false,\"why\":\"%s\"}\n", why); /* past the buffer of the result */
    _exit(1);
}

static void on_alarm(int number) {
    (void)number;
    static const char late[] = "{\"ok\":false,\"why\":\"not done within the deadline\"}\n";
    if (write(1, late, sizeof late - 1) > 0) _exit(1);
    _exit(2);
}

static double clock_now(void) {
    struct timespec time;
    clock_gettime(CLOCK_MONOTONIC, &time);
    return time.tv_sec + time.tv_nsec * 1e-9;
}

static void *grow(void *memory, size_t *room, size_t needed, size_t size) {
    if (needed <= *room) return memory;
    while (*room < needed) *room = *room ? *room * 2 : 256;
    memory = realloc(memory, *room * size);
    if (!memory) fail("the generator is out of memory");
    return memory;
}

static double cpu_of(int pid) {
    char path[64], text[1024];
    snprintf(path, sizeof path, "/proc/%d/stat", pid);
    FILE *file = fopen(path, "r");
    if (!file) fail("the server is gone");
    size_t length = fread(text, 1, sizeof text - 1, file);
    fclose(file);
    text[length] = 0;
    unsigned long user = 0, system = 0;
    const char *fields = strrchr(text, ')');
    if (!fields || sscanf(fields + 2, "%*c %*d %*d %*d %*d %*d %*u %*u %*u %*u %*u %lu %lu", &user,
                          &system) != 2)
        fail("cannot read %s", path);
    return (double)(user + system) / (double)sysconf(_SC_CLK_TCK);
}

static double server_cpu(void) {
    double sum = 0;
    for (int i = 0; i < option.pid.count; i++) sum += cpu_of(option.pid.at[i]);
    return sum;
}

/* What all processors have done so far, in seconds. */
static double machine_cpu(void) {
    double user, nice, system, idle, wait, irq, soft;
    FILE *file = fopen("/proc/stat", "r");
    if (!file || fscanf(file, "cpu %lf %lf %lf %lf %lf %lf %lf", &user, &nice, &system, &idle, &wait,
                        &irq, &soft) != 7)
        fail("cannot read /proc/stat");
    fclose(file);
    return (user + nice + system + irq + soft) / (double)sysconf(_SC_CLK_TCK);
}

static double server_memory(void) {
    char path[64];
    long pages = 0, sum = 0;
    for (int i = 0; i < option.pid.count; i++, sum += pages) {
        snprintf(path, sizeof path, "/proc/%d/statm", option.pid.at[i]);
        FILE *file = fopen(path, "r");
        if (!file || fscanf(file, "%*d %ld", &pages) != 1) fail("the server is gone");
        fclose(file);
    }
    return (double)sum * (double)sysconf(_SC_PAGESIZE);
}

static double own_cpu(void) {
    struct rusage usage;
    getrusage(RUSAGE_SELF, &usage);
    return usage.ru_utime.tv_sec + usage.ru_stime.tv_sec +
           (usage.ru_utime.tv_usec + usage.ru_stime.tv_usec) * 1e-6;
}

static void sample(double seconds) {
    samples = grow(samples, &sample_room, sample_count + 1, sizeof *samples);
    samples[sample_count++] = (float)(seconds * 1e6);
}

static int by_size(const void *a, const void *b) {
    float x = *(const float *)a, y = *(const float *)b;
    return (x > y) - (x < y);
}

static void print_samples(void) {
    if (!sample_count) return;
    qsort(samples, sample_count, sizeof *samples, by_size);
    printf(",\"p50_us\":%.1f,\"p99_us\":%.1f,\"max_us\":%.1f", samples[sample_count / 2],
           samples[(size_t)((double)sample_count * 0.99)], samples[sample_count - 1]);
}

/* ---- the wire: `recv` and `send`, or the same through TLS */

#ifdef WITH_TLS
static SSL_CTX *context;

static void seal(struct conn *c) {
    if (!context) {
        context = SSL_CTX_new(TLS_client_method());
        SSL_CTX_set_verify(context, SSL_VERIFY_NONE, NULL);
        SSL_CTX_set_mode(context, SSL_MODE_ENABLE_PARTIAL_WRITE | SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER);
        SSL_CTX_set_default_read_buffer_len(context, 1 << 16);
        SSL_CTX_set_read_ahead(context, 1); /* or each record would take two system calls */
    }
    c->tls = SSL_new(context);
    if (!c->tls || !SSL_set_fd(c->tls, c->fd)) fail("out of memory");
    SSL_set_connect_state(c->tls);
}

/* What came of an SSL function: so many bytes, or what `recv` and `send` would return. */
static ssize_t outcome(struct conn *c, int n) {
    if (n > 0) return n;
    int error = SSL_get_error(c->tls, n);
    if (error == SSL_ERROR_ZERO_RETURN) return 0;
    errno = error == SSL_ERROR_WANT_READ || error == SSL_ERROR_WANT_WRITE ? EAGAIN : EPROTO;
    return -1;
}

static bool shake_hands(struct conn *c) {
    if (outcome(c, SSL_do_handshake(c->tls)) > 0) return true;
    if (errno != EAGAIN) fail("member %u: no TLS handshake", c->number);
    return false;
}

static ssize_t put_on_wire(struct conn *c, const char *bytes, size_t length) {
    if (!c->tls) return send(c->fd, bytes, length, MSG_NOSIGNAL);
    return outcome(c, SSL_write(c->tls, bytes, (int)length));
}

/* All that is there: nothing may stay in the library, of which epoll does not know. */
static ssize_t take_from_wire(struct conn *c, char *bytes, size_t room) {
    if (!c->tls) return recv(c->fd, bytes, room, 0);
    size_t there = 0;
    ssize_t n = 0;
    while (there < room && (n = outcome(c, SSL_read(c->tls, bytes + there, (int)(room - there)))) > 0)
        there += (size_t)n;
    return there ? (ssize_t)there : n;
}
#else
static void seal(struct conn *c) {
    fail("member %u: compiled without TLS", c->number);
}

static bool shake_hands(struct conn *c) {
    return c->tls == NULL;
}

static ssize_t put_on_wire(struct conn *c, const char *bytes, size_t length) {
    return send(c->fd, bytes, length, MSG_NOSIGNAL);
}

static ssize_t take_from_wire(struct conn *c, char *bytes, size_t room) {
    return recv(c->fd, bytes, room, 0);
}
#endif

/* ---- talking */

static void watch(struct conn *c, unsigned events) {
    struct epoll_event event = {.events = events, .data.ptr = c};
    epoll_ctl(epoll, EPOLL_CTL_MOD, c->fd, &event);
}

static void put_bytes(struct conn *c, const char *bytes, size_t length) {
    c->out = grow(c->out, &c->out_room, c->out_end + length, 1);
    memcpy(c->out + c->out_end, bytes, length);
    c->out_end += length;
}

/* A masked text frame; what is said here at once is less than 64 KiB. */
static void put_frame(struct conn *c, const char *payload, size_t length) {
    const unsigned char mask[4] = {0x37, 0xfa, 0x21, 0x3d};
    bool is_long = length > 125;
    if (length > 0xffff) fail("a frame of %zu bytes", length);
    unsigned char head[8] = {0x81, (unsigned char)(0x80 | (is_long ? 126 : length)),
                             (unsigned char)(length >> 8), (unsigned char)length};
    memcpy(head + (is_long ? 4 : 2), mask, sizeof mask);
    put_bytes(c, (const char *)head, is_long ? 8 : 6);
    put_bytes(c, payload, length);
    for (size_t i = 0; i < length; i++) c->out[c->out_end - length + i] ^= (char)mask[i % 4];
}

static void put_lines(struct conn *c) {
    if (c->lines_length) put_frame(c, c->lines, c->lines_length);
    c->lines_length = 0;
}

static void flush(struct conn *c) {
    put_lines(c);
    while (c->out_start < c->out_end) {
        ssize_t n = put_on_wire(c, c->out + c->out_start, c->out_end - c->out_start);
        if (n < 0 && errno == EAGAIN) {
            watch(c, EPOLLIN | EPOLLOUT);
            return;
        }
        if (n < 0) fail("member %u: the server closed the connection", c->number);
        c->out_start += (size_t)n;
    }
    c->out_start = c->out_end = 0;
}

/* A whole line, or several. */
static void put(struct conn *c, const char *bytes, size_t length) {
    if (!dialect->framed) {
        put_bytes(c, bytes, length);
        return;
    }
    c->lines = grow(c->lines, &c->lines_room, c->lines_length + length, 1);
    memcpy(c->lines + c->lines_length, bytes, length);
    c->lines_length += length;
    if (!option.together) put_lines(c);
}

static void put_text(struct conn *c, const char *word, unsigned sequence) {
    char text[TEXT + 1], line[2 * LINE];
    snprintf(text, sizeof text, "%.4s %08x %s", word, sequence, FILLER);
    int length = snprintf(line, sizeof line, "%s%.*s%s", dialect->before, TEXT, text, dialect->after);
    put(c, line, (size_t)length);
}

static unsigned talker_number(const struct conn *c) {
    return dialect->apart ? c->number - (unsigned)(connections - option.talkers) : c->number;
}

static void post(struct conn *c, double at) {
    char word[8];
    snprintf(word, sizeof word, "%04x", talker_number(c));
    c->sent[c->said % SENT] = at;
    put_text(c, word, c->said++);
    posted++;
}

/* Let talkers say what their windows allow, unless somebody is two windows of all talkers behind. */
static void refill(void) {
    uint64_t limit = 2ull * (unsigned)option.window * (unsigned)option.talkers;
    while (ready_count && posted - completed < limit) {
        struct conn *c = ready[--ready_count];
        c->ready = false;
        for (; c->credit; c->credit--) post(c, 0);
        flush(c);
    }
}

static void get_ready(struct conn *c) {
    if (c->ready) return;
    c->ready = true;
    ready[ready_count++] = c;
}

/* ---- listening */

static void answer(const struct entry *entry) {
    if (!windowed) return;
    struct conn *c = talkers[entry->talker];
    c->credit++;
    get_ready(c);
}

static void skip_own(struct conn *c) {
    if (dialect->echoes || !c->talks) return;
    while (c->place < head && ring[c->place & ring_mask].talker == c->number) c->place++;
}

static void deliver(struct conn *c, struct entry *entry) {
    c->place++;
    skip_own(c);
    deliveries++;
    if (measuring_latency) sample(now - entry->sent);
    if (++entry->count == (unsigned)(option.members + 1) / 2) answer(entry);
    if (entry->count < (unsigned)option.members) return;
    completed++;
    completed_at = now;
}

static size_t frame_length(const char *start, const char *end) {
    size_t there = (size_t)(end - start);
    if (dialect->frame) {
        size_t prefix = strlen(dialect->frame);
        if (!memcmp(start, dialect->frame, there < prefix ? there : prefix)) {
            size_t length = prefix + TEXT + dialect->tail;
            return there < length ? 0 : length;
        }
    }
    const char *newline = memchr(start, '\n', there);
    return newline ? (size_t)(newline - start) + 1 : 0;
}

static bool is_text(const char *line, size_t length) {
    if (length < TEXT + dialect->tail) return false;
    return !memcmp(line + length - dialect->tail - strlen(FILLER), FILLER, strlen(FILLER));
}

static bool read_message(const char *line, size_t length, unsigned *talker, unsigned *sequence) {
    char text[15], author[32];
    if (!is_text(line, length)) return false;
    memcpy(text, line + length - dialect->tail - TEXT, 14);
    text[14] = 0;
    if (sscanf(text, "%4x %8x ", talker, sequence) != 2) return false;
    if (!dialect->author) return true;
    snprintf(author, sizeof author, dialect->author, *talker);
    if (!memmem(line, length, author, strlen(author)))
        fail("message %u of talker %u came under another name", *sequence, *talker);
    return true;
}

static void append(const char *line, size_t length, unsigned talker, unsigned sequence) {
    if (length > LINE) fail("a delivered message has %zu bytes", length);
    if (talker >= (unsigned)option.talkers) fail("a message of an unknown talker");
    struct conn *author = talkers[talker];
    if (sequence != author->heard || sequence >= author->said)
        fail("talker %u: heard message %u, expected %u", talker, sequence, author->heard);
    author->heard++;
    struct entry *entry = &ring[head & ring_mask];
    if (entry->length && entry->count != (unsigned)option.members) fail("the log is too small");
    *entry = (struct entry){.talker = talker, .length = (unsigned)length};
    entry->sent = author->sent[sequence % SENT];
    memcpy(entry->line, line, length);
    entry->end = log_bytes += length;
    head++;
    skip_own(author);
}

static void block(struct conn *c) {
    if (c->blocked) return;
    c->blocked = true;
    blocked[blocked_count++] = c;
}

/* Take the messages in these bytes; return how many bytes have been dealt with. */
static size_t listen_to(struct conn *c, const char *start, const char *end) {
    const char *p = start;
    while (p < end) {
        if (c->place < head) {
            struct entry *entry = &ring[c->place & ring_mask];
            size_t there = (size_t)(end - p);
            if (!memcmp(p, entry->line, there < entry->length ? there : entry->length)) {
                if (there < entry->length) break;
                p += entry->length;
                deliver(c, entry);
                continue;
            }
        }
        unsigned talker, sequence;
        size_t length = frame_length(p, end);
        if (!length) break;
        if (!read_message(p, length, &talker, &sequence)) {
            p += length;
        } else if (c->place < head) {
            fail("member %u: message %u of talker %u is lost, doubled, changed or out of order",
                 c->number, sequence, talker);
        } else if (c->leads) {
            append(p, length, talker, sequence);
        } else {
            block(c);
            break;
        }
    }
    return (size_t)(p - start);
}

static void mark_synced(struct conn *c) {
    if (c->synced == syncing) return;
    c->synced = syncing;
    synced_count++;
}

/* Before the run: the line that lets us in, then the last message of `synchronise`. */
static size_t listen_early(struct conn *c, const char *start, const char *end) {
    const char *p = start;
    size_t length;
    unsigned number;
    while (p < end && (length = frame_length(p, end))) {
        if (c->state == JOINING && memmem(p, length, dialect->welcome, strlen(dialect->welcome))) {
            c->state = JOINED;
            joined_count++;
        } else if (syncing && is_text(p, length)) {
            const char *text = p + length - dialect->tail - TEXT;
            if (sscanf(text, "sync %8x", &number) == 1 && number == syncing) mark_synced(c);
        }
        p += length;
    }
    return (size_t)(p - start);
}

static void keep_rest(struct conn *c, const char *rest, size_t length) {
    if (length) {
        c->rest = grow(c->rest, &c->rest_room, length, 1);
        memmove(c->rest, rest, length);
    }
    c->rest_length = length;
}

static bool running;

static void digest(struct conn *c, const char *bytes, size_t length) {
    const char *end = bytes + length;
    size_t used = !c->hears  ? length
                  : running ? listen_to(c, bytes, end)
                            : listen_early(c, bytes, end);
    keep_rest(c, bytes + used, length - used);
}

/* How long the head of a frame is, as far as these bytes of it tell. */
static unsigned head_size(const unsigned char *head, unsigned length) {
    if (length < 2) return 2;
    return head[1] < 126 ? 2 : head[1] == 126 ? 4 : 10;
}

static void open_frame(struct conn *c) {
    const unsigned char *head = c->head;
    if (head[0] != 0x81 || head[1] & 0x80)
        fail("member %u: a frame that begins with %02x %02x", c->number, head[0], head[1]);
    c->frame_left = head[1] & 0x7f;
    if (c->head_length > 2) c->frame_left = 0;
    for (unsigned i = 2; i < c->head_length; i++) c->frame_left = c->frame_left << 8 | head[i];
    c->head_length = 0;
}

/* Leave of these bytes only what frames bring, in their place; return how much that is. */
static size_t unframe(struct conn *c, char *bytes, size_t length) {
    size_t kept = 0;
    for (size_t i = 0; i < length;) {
        if (c->frame_left) {
            size_t part = length - i < c->frame_left ? length - i : (size_t)c->frame_left;
            memmove(bytes + kept, bytes + i, part);
            kept += part;
            i += part;
            c->frame_left -= part;
        } else {
            c->head[c->head_length++] = (unsigned char)bytes[i++];
            if (c->head_length == head_size(c->head, c->head_length)) open_frame(c);
        }
    }
    return kept;
}

static void join(struct conn *c) {
    c->state = JOINING;
    if (!dialect->hello) return;
    char hello[128];
    snprintf(hello, sizeof hello, dialect->hello, c->number);
    put(c, hello, strlen(hello));
    flush(c);
}

/* The answer to the upgrade; return how much of what follows it is kept. */
static size_t upgrade(struct conn *c, char *bytes, size_t length) {
    char *end = memmem(bytes, length, "\r\n\r\n", 4);
    if (!end) {
        keep_rest(c, bytes, length);
        return 0;
    }
    if (!memmem(bytes, (size_t)(end - bytes), " 101 ", 5)) fail("member %u: no upgrade", c->number);
    c->rest_length = 0;
    size_t left = length - (size_t)(end + 4 - bytes);
    memmove(bytes, end + 4, left);
    join(c);
    return unframe(c, bytes, left);
}

static void hear(struct conn *c) {
    ssize_t n;
    do {
        if (c->blocked) return;
        if (c->rest_length + CHUNK > BUFFER) fail("member %u: a line without an end", c->number);
        if (c->rest_length) memcpy(buffer, c->rest, c->rest_length);
        n = take_from_wire(c, buffer + c->rest_length, CHUNK);
        if (n < 0 && errno == EAGAIN) return;
        if (n <= 0) fail("member %u: the server closed the connection", c->number);
        if (measuring_latency || !windowed) now = clock_now();
        size_t there = c->rest_length + (size_t)n;
        if (c->state == UPGRADING) there = upgrade(c, buffer, there);
        else if (dialect->framed) there = c->rest_length + unframe(c, buffer + c->rest_length, (size_t)n);
        if (c->state != UPGRADING) digest(c, buffer, there);
    } while (c->tls && n == CHUNK);
}

/* What this one has heard, told by its bytes alone; of what nobody has looked at yet, later. */
static void advance(struct conn *c) {
    while (c->place < head && ring[c->place & ring_mask].end <= c->bytes)
        deliver(c, &ring[c->place & ring_mask]);
    if (c->bytes > log_bytes) block(c);
}

static void count_bytes(struct conn *c) {
    ssize_t n = recv(c->fd, NULL, CHUNK, MSG_TRUNC);
    if (n < 0 && errno == EAGAIN) return;
    if (n <= 0) fail("member %u: the server closed the connection", c->number);
    if (measuring_latency || !windowed) now = clock_now();
    c->bytes += (uint64_t)n;
    advance(c);
}

static void unblock(void) {
    int count = blocked_count;
    blocked_count = 0;
    for (int i = 0; i < count; i++) {
        struct conn *c = blocked[i];
        c->blocked = false;
        if (c->counts) {
            advance(c);
            continue;
        }
        digest(c, c->rest, c->rest_length);
        if (c->tls) hear(c);
    }
}

/* ---- one turn of the loop */

static int port_of(const struct conn *c) {
    int place = option.away ? (c->talks ? 0 : option.port.count - 1) : (int)c->number % option.port.count;
    return option.port.at[place];
}

static void start(struct conn *c) {
    int error = 0;
    socklen_t length = sizeof error;
    getsockopt(c->fd, SOL_SOCKET, SO_ERROR, &error, &length);
    if (error) fail("member %u cannot connect: %s", c->number, strerror(error));
    watch(c, EPOLLIN);
    c->state = SHAKING;
    if (option.tls) seal(c);
}

static void say_hello(struct conn *c) {
    if (dialect->framed) {
        char request[256];
        c->state = UPGRADING;
        put_bytes(c, request, (size_t)snprintf(request, sizeof request, UPGRADE, port_of(c)));
        flush(c);
    } else if (c->hears) {
        join(c);
    } else {
        c->state = JOINED;
        joined_count++;
    }
}

static bool timer_fired;

static void react(struct conn *c, unsigned events) {
    if (!c) {
        uint64_t times;
        timer_fired = read(timer, &times, sizeof times) > 0;
    } else if (c->state == CONNECTING || c->state == SHAKING) {
        if (c->state == CONNECTING) start(c);
        if (c->tls && !shake_hands(c)) return;
        say_hello(c);
        if (c->tls) hear(c);
    } else {
        if (events & EPOLLOUT) {
            watch(c, EPOLLIN);
            flush(c);
        }
        if (!(events & (EPOLLIN | EPOLLERR | EPOLLHUP))) return;
        if (c->counts && running) count_bytes(c);
        else hear(c);
    }
}

static void turn(int milliseconds) {
    struct epoll_event events[EVENTS];
    int count = epoll_wait(epoll, events, EVENTS, milliseconds);
    for (int i = 0; i < count; i++) react(events[i].data.ptr, events[i].events);
    if (blocked_count) unblock();
    if (windowed) refill();
}

static void set_timer(double at) {
    struct itimerspec when = {.it_value = {(time_t)at, (long)((at - (double)(time_t)at) * 1e9)}};
    timerfd_settime(timer, TFD_TIMER_ABSTIME, &when, NULL);
}

static void turn_until(double at) {
    timer_fired = false;
    set_timer(at);
    while (!timer_fired) turn(-1);
}

/* ---- before the run */

static void open_connection(struct conn *c) {
    int one = 1, small = 4096, ethernet = 1460;
    struct sockaddr_in from = {.sin_family = AF_INET}, to = {.sin_family = AF_INET};
    c->fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (c->fd < 0) fail("cannot open %u sockets: %s", c->number, strerror(errno));
    setsockopt(c->fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
    if (c->stalled) { /* as far away as a real one: loopback segments would hide it for long */
        setsockopt(c->fd, SOL_SOCKET, SO_RCVBUF, &small, sizeof small);
        setsockopt(c->fd, IPPROTO_TCP, TCP_MAXSEG, &ethernet, sizeof ethernet);
    }
    setsockopt(c->fd, IPPROTO_IP, IP_BIND_ADDRESS_NO_PORT, &one, sizeof one);
    from.sin_addr.s_addr = htonl(INADDR_LOOPBACK + c->number / 4000);
    to.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    to.sin_port = htons((uint16_t)port_of(c));
    if (bind(c->fd, (struct sockaddr *)&from, sizeof from)) fail("bind: %s", strerror(errno));
    if (connect(c->fd, (struct sockaddr *)&to, sizeof to) && errno != EINPROGRESS)
        fail("member %u cannot connect: %s", c->number, strerror(errno));
    struct epoll_event event = {.events = EPOLLOUT, .data.ptr = c};
    epoll_ctl(epoll, EPOLL_CTL_ADD, c->fd, &event);
}

/* The one who only listens comes first: servers tend to tell it first, so the others seldom wait. */
static void connect_all(void) {
    int first = dialect->echoes ? 0 : option.members;
    for (int opened = 0; joined_count < (unsigned)connections; turn(1000))
        for (; opened < connections && opened < (int)joined_count + 64; opened++)
            open_connection(&conns[(first + opened) % connections]);
    for (int i = 0; i < connections; i++)
        if (conns[i].stalled) epoll_ctl(epoll, EPOLL_CTL_DEL, conns[i].fd, NULL);
}

/* Say something until all hear the newest; from there on all hear the same. */
static void synchronise(void) {
    unsigned listeners = 0;
    for (int i = 0; i < connections; i++) listeners += conns[i].hears && !conns[i].stalled;
    do {
        syncing++;
        synced_count = 0;
        if (!dialect->echoes) mark_synced(talkers[0]);
        put_text(talkers[0], "sync", syncing);
        flush(talkers[0]);
        for (double end = clock_now() + 5; synced_count < listeners && clock_now() < end;) turn(100);
    } while (synced_count < listeners);
    running = true;
}

static void set_up(void) {
    int listeners = option.members + !dialect->echoes;
    connections = listeners + option.stalled + (dialect->apart ? option.talkers : 0);
    conns = calloc((size_t)connections, sizeof *conns);
    talkers = calloc((size_t)option.talkers, sizeof *talkers);
    ready = calloc((size_t)connections, sizeof *ready);
    blocked = calloc((size_t)connections, sizeof *blocked);
    buffer = malloc(BUFFER);
    for (ring_mask = 1; ring_mask < (uint64_t)option.talkers * (uint64_t)option.window * 3 + 1024;)
        ring_mask *= 2;
    ring = calloc(ring_mask, sizeof *ring);
    ring_mask--;
    if (!conns || !talkers || !ready || !blocked || !buffer || !ring) fail("out of memory");
    for (int i = 0; i < connections; i++) {
        struct conn *c = &conns[i];
        c->number = (unsigned)i;
        c->hears = i < listeners + option.stalled;
        c->stalled = c->hears && i >= listeners;
        c->talks = dialect->apart ? !c->hears : i < option.talkers;
        c->leads = dialect->echoes || !c->talks;
        c->counts = c->hears && !c->stalled && i >= option.checking;
        if (c->counts) c->leads = false;
    }
    for (int i = 0; i < option.talkers; i++)
        talkers[i] = &conns[dialect->apart ? connections - option.talkers + i : i];
}

/* ---- workloads */

struct mark {
    double time, server, beside, own, machine;
    uint64_t deliveries;
};

static struct mark mark(void) {
    double beside = option.beside ? cpu_of(option.beside) : 0;
    return (struct mark){clock_now(), server_cpu(), beside, own_cpu(), machine_cpu(), deliveries};
}

static void print_between(struct mark a, struct mark b) {
    double seconds = b.time - a.time, count = (double)(b.deliveries - a.deliveries);
    printf(",\"deliveries\":%.0f,\"seconds\":%.3f,\"rate\":%.0f,\"cpu_us\":%.4f", count, seconds,
           count / seconds, count > 0 ? (b.server - a.server) / count * 1e6 : 0);
    printf(",\"server_load\":%.3f,\"generator_load\":%.3f,\"generator_us\":%.4f",
           (b.server - a.server) / seconds, (b.own - a.own) / seconds,
           count > 0 ? (b.own - a.own) / count * 1e6 : 0);
    double beside = b.beside - a.beside;
    printf(",\"beside_load\":%.3f,\"beside_us\":%.4f", beside / seconds,
           count > 0 ? beside / count * 1e6 : 0);
    double others = (b.machine - a.machine) - (b.server - a.server) - (b.own - a.own) - beside;
    printf(",\"other_load\":%.3f", others > 0 ? others / seconds : 0);
}

static void drain(void) {
    for (double end = clock_now() + 60; completed < posted; turn(100))
        if (clock_now() > end)
            fail("%llu messages did not reach everybody within 60 s",
                 (unsigned long long)(posted - completed));
    turn_until(clock_now() + 0.05); /* for what should not come: a message twice */
    for (int i = 0; i < connections; i++)
        if (conns[i].counts && conns[i].bytes != log_bytes)
            fail("member %d heard more than what was said", i);
}

static void start_windows(void) {
    windowed = true;
    for (int i = 0; i < option.talkers; i++) {
        talkers[i]->credit = (unsigned)option.window;
        get_ready(talkers[i]);
    }
    refill();
}

static void stop_windows(void) {
    windowed = false;
    for (; ready_count; ready_count--) ready[ready_count - 1]->ready = false;
    for (int i = 0; i < option.talkers; i++) talkers[i]->credit = 0;
}

static void run_saturated(void) {
    start_windows();
    turn_until(clock_now() + option.warmup);
    struct mark start = mark();
    turn_until(start.time + option.seconds);
    struct mark end = mark();
    stop_windows();
    drain();
    print_between(start, end);
}

static void send_one(uint64_t number, double at) {
    struct conn *c = talkers[number % (uint64_t)option.talkers];
    post(c, at);
    flush(c);
}

static void one_in_flight(double until, bool keep) {
    while (clock_now() < until) {
        double start = clock_now();
        send_one(posted, start);
        while (completed < posted) turn(1000);
        if (keep) sample(completed_at - start);
    }
}

static void run_one(void) {
    one_in_flight(clock_now() + option.warmup, false);
    struct mark start = mark();
    one_in_flight(start.time + option.seconds, true);
    struct mark end = mark();
    drain();
    print_between(start, end);
}

static void steady(double seconds) {
    double start = clock_now();
    for (uint64_t i = 0; (double)i < seconds * option.rate; i++) {
        double at = start + (double)i / option.rate;
        turn_until(at);
        send_one(posted, at);
    }
}

/* Give a stalled reader something to be late with, as fast as the others take it. */
static void fill(void) {
    uint64_t goal = posted + (uint64_t)option.fill;
    start_windows();
    for (double end = clock_now() + 30; completed < goal; turn(100))
        if (clock_now() > end) fail("the others are held up by the stalled reader");
    stop_windows();
    drain();
}

static void run_steady(void) {
    if (option.fill) fill();
    steady(option.warmup);
    drain();
    measuring_latency = true;
    struct mark start = mark();
    steady(option.seconds);
    drain();
    print_between(start, mark());
    printf(",\"memory\":%.0f", server_memory());
}

static void print_crowd(double empty, double seconds) {
    turn_until(clock_now() + 1);
    printf(",\"connections_per_s\":%.0f,\"memory\":%.0f,\"bytes_per_member\":%.0f",
           connections / seconds, server_memory(), (server_memory() - empty) / connections);
    double start = now = clock_now();
    send_one(posted, start);
    while (completed < posted) turn(1000);
    printf(",\"to_all_us\":%.0f", (completed_at - start) * 1e6);
    turn_until(clock_now() + 1);
    struct mark before = mark();
    turn_until(before.time + option.idle);
    struct mark after = mark();
    printf(",\"idle_load\":%.5f,\"other_load\":%.3f", (after.server - before.server) / option.idle,
           (after.machine - before.machine - after.server + before.server) / option.idle);
}

/* ---- the command line */

static void set_list(const char *key, struct list *list, const char *value) {
    int room = (int)(sizeof list->at / sizeof *list->at);
    for (list->count = 0; value; value = strchr(value, ',') ? strchr(value, ',') + 1 : NULL) {
        if (list->count == room) fail("%s: at most %d", key, room);
        list->at[list->count++] = atoi(value);
    }
}

static void set(const char *key, const char *value) {
    struct { const char *key; int *number; double *real; } known[] = {
        {"beside", &option.beside, NULL}, {"away", &option.away, NULL},
        {"checking", &option.checking, NULL}, {"members", &option.members, NULL},
        {"talkers", &option.talkers, NULL}, {"window", &option.window, NULL},
        {"stalled", &option.stalled, NULL}, {"fill", &option.fill, NULL},
        {"deadline", &option.deadline, NULL}, {"tls", &option.tls, NULL},
        {"together", &option.together, NULL}, {"warmup", NULL, &option.warmup},
        {"seconds", NULL, &option.seconds}, {"rate", NULL, &option.rate}, {"idle", NULL, &option.idle},
    };
    if (!strcmp(key, "port") || !strcmp(key, "pid")) {
        set_list(key, !strcmp(key, "port") ? &option.port : &option.pid, value);
        return;
    }
    for (size_t i = 0; i < sizeof known / sizeof *known; i++) {
        if (strcmp(key, known[i].key)) continue;
        if (known[i].number) *known[i].number = atoi(value);
        else *known[i].real = atof(value);
        return;
    }
    for (size_t i = 0; i < sizeof DIALECTS / sizeof *DIALECTS; i++)
        if (!strcmp(key, "dialect") && !strcmp(value, DIALECTS[i].name)) dialect = &DIALECTS[i];
    if (!strcmp(key, "workload")) option.workload = value;
    else if (strcmp(key, "dialect")) fail("unknown option %s", key);
}

static void read_options(int count, char **arguments) {
    for (int i = 1; i < count; i++) {
        char *value = strchr(arguments[i], '=');
        if (!value) fail("key=value, please: %s", arguments[i]);
        *value = 0;
        set(arguments[i], value + 1);
    }
    if (!dialect || !option.port.count || !option.pid.count) fail("port, pid and dialect are needed");
    if (option.window >= SENT) fail("the window must be less than %d", SENT);
    if (option.talkers > option.members) fail("more talkers than members");
    if (option.checking < option.members && (option.tls || dialect->framed || !dialect->echoes))
        fail("bytes are counted only of lines in clear text that all hear alike");
    if (option.checking < option.talkers) fail("talkers look at what they hear");
}

int main(int count, char **arguments) {
    read_options(count, arguments);
    struct rlimit limit;
    getrlimit(RLIMIT_NOFILE, &limit);
    limit.rlim_cur = limit.rlim_max;
    setrlimit(RLIMIT_NOFILE, &limit);
    signal(SIGALRM, on_alarm);
    alarm((unsigned)option.deadline);
    epoll = epoll_create1(EPOLL_CLOEXEC);
    timer = timerfd_create(CLOCK_MONOTONIC, TFD_NONBLOCK | TFD_CLOEXEC);
    struct epoll_event event = {.events = EPOLLIN, .data.ptr = NULL};
    epoll_ctl(epoll, EPOLL_CTL_ADD, timer, &event);
    set_up();
    double empty = server_memory(), start = clock_now();
    connect_all();
    double seconds = clock_now() - start;
    synchronise();
    static char output[4096]; /* written at the end, and not at all if the run turns out void */
    setvbuf(stdout, output, _IOFBF, sizeof output);
    printf("{\"ok\":true,\"dialect\":\"%s\"", dialect->name);
    if (!strcmp(option.workload, "saturated")) run_saturated();
    else if (!strcmp(option.workload, "one")) run_one();
    else if (!strcmp(option.workload, "steady")) run_steady();
    else if (!strcmp(option.workload, "crowd")) print_crowd(empty, seconds);
    else fail("unknown workload %s", option.workload);
    print_samples();
    printf("}\n");
    fflush(stdout);
    _exit(0);
}
