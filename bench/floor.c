/* The floor: what one thread can do at most with recv, pread or pwrite, and send on one iSCSI connection in full feature
 * phase. READ and WRITE (10, 16) with all write data immediate, and the few commands that clients begin with; nothing is
 * checked, counted or reserved. Not a target: a yardstick. floor.py logs in and hands over the socket.
 */
#include <arpa/inet.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

enum { HEADER = 48, BLOCK = 512, IN_BYTES = 4 << 20, OUT_BYTES = 32 << 20 };

static uint32_t get32(const uint8_t *from) {
    uint32_t value;
    memcpy(&value, from, 4);
    return ntohl(value);
}

static void put32(uint8_t *to, uint32_t value) {
    value = htonl(value);
    memcpy(to, &value, 4);
}

static size_t padded(uint32_t length) { return (length + 3) & ~3u; }

/* One answer with data and its status in one Data-In; returns its length. */
static size_t data_in(uint8_t *answer, uint32_t length) {
    answer[0] = 0x25;
    answer[1] = 0x81;
    answer[5] = length >> 16;
    answer[6] = length >> 8;
    answer[7] = length;
    put32(answer + 20, 0xffffffff);
    return HEADER + padded(length);
}

static size_t scsi(uint8_t *answer, const uint8_t *request, uint32_t data_length, int disk, uint64_t disk_bytes) {
    const uint8_t *cdb = request + 32;
    uint8_t *data = answer + HEADER;
    int sixteen = cdb[0] == 0x88 || cdb[0] == 0x8a;
    uint64_t lba = sixteen ? (uint64_t)get32(cdb + 2) << 32 | get32(cdb + 6) : get32(cdb + 2);
    uint32_t length = (sixteen ? get32(cdb + 10) : (uint32_t)(cdb[7] << 8 | cdb[8])) * BLOCK;
    uint64_t last = disk_bytes / BLOCK - 1;
    switch (cdb[0]) {
    case 0x28: case 0x88:
        if (pread(disk, data, length, lba * BLOCK) != (ssize_t)length) return 0;
        return data_in(answer, length);
    case 0x2a: case 0x8a:
        if (data_length != length || pwrite(disk, request + HEADER, length, lba * BLOCK) != (ssize_t)length) return 0;
        break;
    case 0x12:
        memset(data, 0, 36);
        data[2] = 6;
        data[3] = 2;
        data[4] = 31;
        return data_in(answer, 36);
    case 0x25:
        put32(data, last > 0xffffffff ? 0xffffffff : last);
        put32(data + 4, BLOCK);
        return data_in(answer, 8);
    case 0x9e:
        memset(data, 0, 32);
        put32(data, last >> 32);
        put32(data + 4, last);
        put32(data + 8, BLOCK);
        return data_in(answer, 32);
    }
    answer[0] = 0x21;
    answer[1] = 0x80;
    return HEADER;
}

/* Serve until the connection ends. Returns 0, or 1 for something that the floor does not do. */
int serve(int sock, int disk, uint64_t disk_bytes, uint32_t stat_sn) {
    uint8_t *in = malloc(IN_BYTES), *out = malloc(OUT_BYTES);
    size_t head = 0, tail = 0;
    int result = 0;
    while (in && out) {
        ssize_t got = recv(sock, in + tail, IN_BYTES - tail, 0);
        if (got <= 0) break;
        tail += got;
        size_t filled = 0;
        int logout = 0;
        while (tail - head >= HEADER) {
            const uint8_t *request = in + head;
            uint32_t length = request[5] << 16 | request[6] << 8 | request[7];
            if (tail - head < HEADER + padded(length)) break;
            head += HEADER + padded(length);
            uint8_t *answer = out + filled;
            int opcode = request[0] & 0x3f;
            size_t size = HEADER;
            memset(answer, 0, HEADER);
            if (opcode == 0x01) {
                size = scsi(answer, request, length, disk, disk_bytes);
            } else if (opcode == 0x00) {
                if (get32(request + 16) == 0xffffffff) continue;
                answer[0] = 0x20;
                answer[1] = 0x80;
                put32(answer + 20, 0xffffffff);
            } else if (opcode == 0x06) {
                answer[0] = 0x26;
                answer[1] = 0x80;
                logout = 1;
            } else {
                size = 0;
            }
            if (!size) {
                result = 1;
                logout = 1;
                break;
            }
            memcpy(answer + 16, request + 16, 4);
            put32(answer + 24, stat_sn++);
            put32(answer + 28, get32(request + 24) + !(request[0] & 0x40));
            put32(answer + 32, get32(request + 24) + 128);
            filled += size;
        }
        if (head == tail) {
            head = tail = 0;
        } else if (head) {
            memmove(in, in + head, tail - head);
            tail -= head;
            head = 0;
        }
        for (size_t sent = 0; sent < filled;) {
            ssize_t step = send(sock, out + sent, filled - sent, MSG_NOSIGNAL);
            if (step <= 0) goto end;
            sent += step;
        }
        if (logout) break;
    }
end:
    free(in);
    free(out);
    return result;
}
