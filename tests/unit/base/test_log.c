/* SPDX-License-Identifier: Apache-2.0 */
#include "base/log.h"

#include "base/buf.h"
#include "base/json.h"
#include "base/rng.h"
#include "test.h"

#include <fcntl.h>
#include <unistd.h>

static void keep(const char *line, size_t len, void *arg)
{
    buf_add(arg, line, len);
}

static int64_t noon(void *arg)
{
    (void) arg;
    return 1767268800007; /* 2026-01-01T12:00:00.007Z */
}

static struct buf lines;

static void begin(enum log_format format, enum log_level level)
{
    buf_clear(&lines);
    log_setup(format, level);
    log_redirect(keep, noon, &lines);
}

static void end(void)
{
    log_redirect(NULL, NULL, NULL);
    log_setup(LOG_AUTO, LOG_INFO);
    buf_done(&lines);
}

TEST(json_lines)
{
    bool yes = true;
    int64_t least = INT64_MIN;
    uint64_t most = UINT64_MAX;
    size_t size = 3;
    const char *none = NULL;
    char text[] = "a \"b\"\n";

    begin(LOG_JSON, LOG_INFO);
    log_info("nothing more");
    log_error("fields", KV("t", text), KV("n", none), KV("i", -5), KV("b", yes), KV("l", least),
              KV("m", most), KV("s", size));
    CHECK_STR(lines.data,
              "{\"ts\":\"2026-01-01T12:00:00.007Z\",\"level\":\"info\",\"msg\":\"nothing more\"}\n"
              "{\"ts\":\"2026-01-01T12:00:00.007Z\",\"level\":\"error\",\"msg\":\"fields\","
              "\"t\":\"a \\\"b\\\"\\n\",\"n\":null,\"i\":-5,\"b\":true,"
              "\"l\":-9223372036854775808,\"m\":9223372036854775807,\"s\":3}\n");
    end();
}

TEST(text_lines)
{
    begin(LOG_TEXT, LOG_INFO);
    log_warning("careful", KV("a", "plain/text:1"), KV("b", ""), KV("c", "two words"),
                KV("d", "x=y"), KV("e", (const char *) NULL), KV("f", "\x1B[31m"), KV("g", 7),
                KV("h", "bad\xFF"));
    CHECK_STR(
        lines.data,
        "2026-01-01T12:00:00.007Z warning careful a=plain/text:1 b=\"\" c=\"two words\" d=\"x=y\" "
        "e=null f=\"\\u001b[31m\" g=7 h=bad\xEF\xBF\xBD\n");
    end();
}

static int evaluations;

static const char *count_evaluation(void)
{
    evaluations++;
    return "x";
}

TEST(levels_below_the_threshold_cost_nothing)
{
    begin(LOG_JSON, LOG_WARNING);
    log_debug("d", KV("x", count_evaluation()));
    log_info("i", KV("x", count_evaluation()));
    CHECK_INT(lines.len, 0);
    CHECK_INT(evaluations, 0);
    log_warning("w", KV("x", count_evaluation()));
    CHECK_INT(evaluations, 1);
    CHECK_HAS(buf_text(&lines), "\"level\":\"warning\"");
    log_setup(LOG_JSON, LOG_DEBUG);
    buf_clear(&lines);
    log_debug("d");
    CHECK_HAS(buf_text(&lines), "\"level\":\"debug\"");
    end();
}

TEST(every_json_line_parses)
{
    struct rng rng;

    rng_init(&rng, test_seed());
    for (int round = 0; round < 500; round++) {
        char text[30] = "";
        struct error err;
        json_t *json = NULL;

        for (size_t i = 0; i + 1 < sizeof(text); i++)
            text[i] = (char) rng_below(&rng, 256);
        begin(LOG_JSON, LOG_INFO);
        log_info("x", KV("t", text));
        CHECK(strchr(lines.data, '\n') == lines.data + lines.len - 1);
        CHECK_OK(json_parse(lines.data, lines.len, &json, &err), &err);
        CHECK(json_text_at(json, "t"));
        json_decref(json);
    }
    end();
}

/* One write each, so that lines of several processes do not mix: what a pipe got is whole. */
TEST(lines_go_to_standard_error)
{
    int pipe_fds[2], saved = dup(STDERR_FILENO);
    char got[500] = "";

    CHECK_INT(pipe2(pipe_fds, O_CLOEXEC), 0);
    dup2(pipe_fds[1], STDERR_FILENO);
    log_setup(LOG_AUTO, LOG_INFO);
    log_info("to the pipe", KV("n", 1));
    dup2(saved, STDERR_FILENO);
    CHECK(read(pipe_fds[0], got, sizeof(got) - 1) > 0);
    CHECK_HAS(got, "{\"ts\":\"20");
    CHECK_HAS(got, "\"msg\":\"to the pipe\",\"n\":1}\n");
    close(pipe_fds[0]);
    close(pipe_fds[1]);
    close(saved);
}

TEST(names_of_levels_and_formats)
{
    enum log_level level = LOG_ERROR;
    enum log_format format = LOG_JSON;

    CHECK(log_parse_level("debug", &level));
    CHECK_INT(level, LOG_DEBUG);
    CHECK(log_parse_level("warning", &level));
    CHECK_INT(level, LOG_WARNING);
    CHECK(!log_parse_level("WARNING", &level));
    CHECK_INT(level, LOG_WARNING);
    CHECK(log_parse_format("text", &format));
    CHECK_INT(format, LOG_TEXT);
    CHECK(!log_parse_format("", &format));
    CHECK_INT(format, LOG_TEXT);
}
