// Tests of the stand-in. Each case runs in a process of its own, since many must end with the stand-in's report.
//   standin-test              runs all
//   standin-test NAME         runs one in this process
#include <sys/wait.h>
#include <unistd.h>

#include <string>

#include "driver.h"

namespace {

/// Runs one case as a process and returns whether it ended as it must.
bool passes(const char* self, const Case& c) {
    int pipes[2];
    if (pipe(pipes) != 0) return false;
    pid_t child = fork();
    if (child == 0) {
        dup2(pipes[1], 2);
        close(pipes[0]);
        if (c.environment != nullptr) putenv(const_cast<char*>(c.environment));
        execl(self, self, c.name, nullptr);
        _exit(127);
    }
    close(pipes[1]);
    std::string report;
    char buffer[4096];
    for (ssize_t n; (n = read(pipes[0], buffer, sizeof buffer)) > 0;) report.append(buffer, size_t(n));
    close(pipes[0]);
    int status = 0;
    waitpid(child, &status, 0);
    bool clean = WIFEXITED(status) && WEXITSTATUS(status) == 0;
    // AddressSanitizer, where it is built in, may see an access first.
    bool as_expected = c.report == nullptr ? clean
                                           : !clean && (report.find(c.report) != std::string::npos ||
                                                        report.find("ERROR: AddressSanitizer") != std::string::npos);
    if (!as_expected)
        printf("FAILED %s: status 0x%x, expected %s\n%s\n", c.name, status, c.report == nullptr ? "success" : c.report,
               report.c_str());
    return as_expected;
}

}  // namespace

int main(int count, char** arguments) {
    std::vector<Case> all = WORKS;
    all.insert(all.end(), CAUGHT.begin(), CAUGHT.end());
    if (count == 2) {
        for (const Case& c : all) {
            if (strcmp(c.name, arguments[1]) != 0) continue;
            c.run();
            return 0;
        }
        fprintf(stderr, "no such case\n");
        return 2;
    }
    int passed = 0, failed = 0;
    for (const Case& c : all) ++(passes(arguments[0], c) ? passed : failed);
#if !defined(__SANITIZE_ADDRESS__)
    puts("read_near: SKIPPED: needs --asan");
    printf("stand-in: %d passed, %d failed, 1 skipped\n", passed, failed);
#else
    printf("stand-in: %d passed, %d failed\n", passed, failed);
#endif
    return failed != 0;
}
