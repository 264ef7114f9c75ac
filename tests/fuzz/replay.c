/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "lib/test.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>

#include "fuzz/fuzz.h"
#include "util/array.h"
#include "util/io.h"
#include "util/strings.h"

/* Runs a fuzz target without libFuzzer: every file of a directory (first argument), then a number
 * (the second) of mutations of them. The same everywhere: no clock, no random numbers of the
 * system. */

#define INPUT_MAX 8192

typedef struct Input {
        char *data;
        size_t size;
} Input;

typedef struct Corpus {
        Input *inputs;
        size_t n_inputs;
        uint64_t state; /* xorshift64* */
} Corpus;

static size_t pick(Corpus *corpus, size_t n)
{
        corpus->state ^= corpus->state >> 12;
        corpus->state ^= corpus->state << 25;
        corpus->state ^= corpus->state >> 27;
        return n == 0 ? 0 : (size_t) ((corpus->state * UINT64_C(2685821657736338717)) >> 33) % n;
}

static int compare_names(const void *a, const void *b)
{
        return strcmp(*(char *const *) a, *(char *const *) b);
}

static void load_corpus(const char *path, Corpus *corpus)
{
        _cleanup_string_list_ char **names = NULL;
        DIR *directory = opendir(path);
        const struct dirent *entry;

        ASSERT_TRUE(directory);
        while ((entry = readdir(directory)))
                if (entry->d_name[0] != '.')
                        ASSERT_OK(string_list_append(&names, entry->d_name));
        size_t n = string_list_length(names);
        ASSERT_TRUE(n > 0);
        qsort(names, n, sizeof(*names), compare_names);

        for (size_t i = 0; i < n; i++) {
                Input input;

                ASSERT_OK(read_file_at(
                        dirfd(directory), names[i], INPUT_MAX, &input.data, &input.size));
                ASSERT_OK(ARRAY_GROW(corpus->inputs, corpus->n_inputs));
                corpus->inputs[corpus->n_inputs++] = input;
        }
        closedir(directory);
}

/* Puts bytes in at a position; what does not fit falls off the end. */
static void insert(Input *input, size_t at, const char *data, size_t size)
{
        if (size > INPUT_MAX - at)
                size = INPUT_MAX - at;
        size_t tail = input->size - at;
        if (tail > INPUT_MAX - at - size)
                tail = INPUT_MAX - at - size;
        memmove(input->data + at + size, input->data + at, tail);
        memcpy(input->data + at, data, size);
        input->size = at + size + tail;
}

static void mutate(Corpus *corpus, Input *input)
{
        static const char odd[] = {'\0', '\n', '\r', '\t', ' ', '"', '\\', '=', ':', ';', '#', '[',
                ']', '{', '}', '(', ')', '*', '-', ',', '\x7f', '\x80', '\xc3', '\xff'};
        static char copy[INPUT_MAX];
        size_t at = pick(corpus, input->size + 1), length, n_words = 0;
        const Input *other;
        char c;

        switch (pick(corpus, 7)) {
        case 0:
                if (at < input->size)
                        input->data[at] ^= (char) (1 << pick(corpus, 8));
                break;
        case 1:
                c = odd[pick(corpus, sizeof(odd))];
                insert(input, at, &c, 1);
                break;
        case 2: /* take a part out */
                length = pick(corpus, input->size - at + 1);
                memmove(input->data + at, input->data + at + length, input->size - at - length);
                input->size -= length;
                break;
        case 3: /* repeat a part, up to 16 times */
                length = pick(corpus, input->size - at + 1);
                memcpy(copy, input->data + at, length);
                for (size_t i = pick(corpus, 16); i > 0; i--)
                        insert(input, at, copy, length);
                break;
        case 4: /* a part of another input */
                other = &corpus->inputs[pick(corpus, corpus->n_inputs)];
                length = pick(corpus, other->size + 1);
                insert(input, at, other->data + pick(corpus, other->size - length + 1), length);
                break;
        case 5:
                if (at < input->size)
                        input->data[at] = odd[pick(corpus, sizeof(odd))];
                break;
        default:
                while (fuzz_dictionary[n_words])
                        n_words++;
                const char *word = fuzz_dictionary[pick(corpus, n_words)];
                insert(input, at, word, strlen(word));
        }
}

static void run_one(const Input *input)
{
        /* An allocation of the exact size lets the sanitizer see reads beyond the end. */
        uint8_t *data = malloc(input->size ? input->size : 1);

        ASSERT_TRUE(data);
        memcpy(data, input->data, input->size);
        (void) LLVMFuzzerTestOneInput(data, input->size);
        free(data);
}

int main(int argc, char **argv)
{
        static char buffer[INPUT_MAX];
        Corpus corpus = {.state = 20240229};

        ASSERT_EQ(argc, 3);
        unsigned long n_mutations = strtoul(argv[2], NULL, 10);
        load_corpus(argv[1], &corpus);
        for (size_t i = 0; i < corpus.n_inputs; i++)
                run_one(&corpus.inputs[i]);

        for (unsigned long i = 0; i < n_mutations; i++) {
                const Input *original = &corpus.inputs[i % corpus.n_inputs];
                Input input = {.data = buffer, .size = original->size};

                memcpy(buffer, original->data, original->size);
                for (size_t k = 1 + pick(&corpus, 6); k > 0; k--)
                        mutate(&corpus, &input);
                run_one(&input);
        }

        for (size_t i = 0; i < corpus.n_inputs; i++)
                free(corpus.inputs[i].data);
        free(corpus.inputs);
        return EXIT_SUCCESS;
}
