// The report on run folders made by hand: whole, cut short, empty, hostile.
#include "gan/report.h"

#include <cmath>

#include "core/error.h"
#include "gan/chart.h"
#include "gan/evaluation_file.h"
#include "gan/image.h"
#include "tests/apps/checks.h"

using namespace forger;
using namespace program;
namespace fs = std::filesystem;

namespace {

size_t count(const std::string& text, const std::string& word) {
  size_t found = 0;
  for (size_t at = text.find(word); at != text.npos; at = text.find(word, at + word.size())) found++;
  return found;
}

std::string report_of(const std::string& run) {
  gan::write_report(run);
  return read_file(run + "/report.html");
}

void write_metrics(const std::string& run, int steps) {
  std::string csv = "step,seconds,loss_d,loss_g,penalty\n";
  for (int i = 1; i <= steps; i++)
    csv += text(i, ',', 0.1 * i, ',', std::exp(-i / 800.0), ',', 1 + std::sin(i), ',', i % 7 ? "0.5" : "nan", '\n');
  write_file(run + "/metrics.csv", csv);
}

// Points of the n-th polyline.
size_t points(const std::string& html, size_t n) {
  size_t at = 0;
  for (size_t i = 0; i <= n; i++) at = html.find("<polyline", at + 1);
  const size_t begin = html.find("points='", at), end = html.find("'/>", at);
  return count(html.substr(begin, end - begin), ",");
}

}  // namespace

TEST_CASE("a report holds curves, previews, timing and settings, and nothing from elsewhere", "[report]") {
  const Scratch scratch;
  const std::string run = scratch / "run";
  fs::create_directories(run + "/samples");
  write_metrics(run, 2500);
  write_file(run + "/config.toml",
             "recipe = \"dcgan\" # the system\nsteps = 5000\nbatch = 64\nlr_g = 0.0002\nfused = true\n");
  gan::Image black{2, 2, 1, {0, 0, 0, 0}};
  for (int step = 0; step <= 2500; step += 100) {
    black.pixels[0] = static_cast<uint8_t>(step / 100);
    std::string digits = std::to_string(step);
    gan::write_png(run + "/samples/step-" + std::string(6 - digits.size(), '0') + digits + ".png", black);
  }
  const std::string html = report_of(run);
  CHECK(count(html, "<figure class='chart'>") == 2);  // loss_d with loss_g; penalty
  CHECK(count(html, "<polyline") == 3);
  for (size_t n = 0; n < 3; n++) {
    CHECK(points(html, n) > 400);
    CHECK(points(html, n) <= 600);
  }
  CHECK(count(html, "data:image/png;base64,iVBORw0KGgo") == 12);
  CHECK(html.find("after step 0'") != std::string::npos);
  CHECK(html.find("after step 2500'") != std::string::npos);
  CHECK(html.find("2500 of 5000") != std::string::npos);
  CHECK(html.find("4 min 10 s") != std::string::npos);
  CHECK(html.find("<tr><th>lr_g</th><td>0.0002</td></tr>") != std::string::npos);
  CHECK(html.find("<tr><th>recipe</th><td>dcgan</td></tr>") != std::string::npos);
  CHECK(html.find("nan") == std::string::npos);
  for (const char* outside : {"http://", "https://", "src='/", "href="}) CHECK(html.find(outside) == std::string::npos);
}

TEST_CASE("a report of a run that was cut short", "[report]") {
  const Scratch scratch;
  const std::string run = scratch / "run";
  fs::create_directories(run);
  CHECK(report_of(run).find("No steps yet") != std::string::npos);
  CHECK(report_of(run).find("No previews yet") != std::string::npos);

  write_metrics(run, 10);
  const std::string csv = read_file(run + "/metrics.csv"), whole = report_of(run);
  for (const char* half :
       {"11", "11,1.1,0.3", "11,1.1,0.3,0.2,0.1", "11,1.1,0.3,abc,0.1\n", "11,1.1\n", "\n", ",,,,\n"}) {
    INFO(half);
    write_file(run + "/metrics.csv", csv + half);
    CHECK((report_of(run) == whole));
  }
  for (size_t length = 0; length < csv.size(); length += 7) {
    write_file(run + "/metrics.csv", csv.substr(0, length));
    CHECK(report_of(run).ends_with("</html>\n"));
  }
  write_file(run + "/config.toml", "steps = = 5");
  CHECK(report_of(run).ends_with("</html>\n"));
}

TEST_CASE("a report tells what forger evaluate found, or that the file is damaged", "[report]") {
  const Scratch scratch;
  const std::string run = scratch / "run", file = run + "/evaluation.json";
  fs::create_directories(run);
  CHECK(count(report_of(run), "<h2>Scores</h2>") == 0);
  gan::write_evaluation(
      file, {.step = 1200,
             .scores = {{.metric = "modes", .values = {{"missing", 1}}, .fakes = 60, .remark = "missing: <b>\xe7"}},
             .seen_by = {"the judge"},
             .tests = {{"psnr", 21.25}}});
  const std::string html = report_of(run);
  CHECK(count(html, "After step 1200, by forger evaluate") == 1);
  CHECK(count(html, "<th>modes</th><td>1  (60 fake); missing: &lt;b&gt;\\xe7</td>") == 1);
  CHECK(count(html, "<th>psnr</th><td>21.25</td>") == 1);
  CHECK(count(html, "<th>seen by</th><td>the judge</td>") == 1);
  write_file(file, "{");
  CHECK(count(report_of(run), "evaluation.json&#39; is damaged: forger evaluate makes a new one</p>") == 1);
}

TEST_CASE("curves without any extent or any number", "[report]") {
  const Scratch scratch;
  const std::string run = scratch / "run";
  fs::create_directories(run);
  for (const char* rows : {"1,0.1,2,nan\n", "1,0.1,0,inf\n2,0.2,0,-inf\n", "1,0,1e300,5\n2,0,-1e300,5\n"}) {
    INFO(rows);
    write_file(run + "/metrics.csv", std::string("step,seconds,loss_d,other\n") + rows);
    const std::string html = report_of(run);
    CHECK(html.find("<polyline") != std::string::npos);
    CHECK(html.find("nan") == std::string::npos);
  }
}

TEST_CASE("nothing in a run folder can become markup", "[report]") {
  const Scratch scratch;
  const std::string run = scratch / "<b>run";
  fs::create_directories(run);
  write_file(run + "/config.toml", "recipe = \"<script>alert('1')</script>\"\n");
  write_file(run + "/metrics.csv", "step,seconds,<img src='x'>\n1,1,1\n2,2,2\n");
  const std::string html = report_of(run);
  CHECK(count(html, "<script>") == 1);
  CHECK(html.find("<img src") == std::string::npos);
  CHECK(html.find("aria-label='&lt;img src=&#39;x&#39;&gt; by step'") != std::string::npos);
  CHECK(html.find("<b>run") == std::string::npos);
}

TEST_CASE("a report that cannot be written is a DataError", "[report]") {
  CHECK_THROWS_AS(gan::write_report("/nonexistent/run"), DataError);
}

TEST_CASE("a page on several runs: what differs, and a curve for each", "[report]") {
  const Scratch scratch;
  const std::string a = scratch / "a", b = scratch / "<b>";
  for (const std::string& run : {a, b}) {
    fs::create_directories(run + "/samples");
    write_metrics(run, run == a ? 100 : 300);
  }
  write_file(a + "/config.toml", "recipe = \"dcgan\"\nbatch = 64\nlr_g = 0.001\n");
  write_file(b + "/config.toml", "recipe = \"lsgan\"\nbatch = 64\nlr_g = 0.0002\npast = 7\n");
  gan::write_png(a + "/samples/step-000100.png", {2, 2, 1, {0, 0, 0, 0}});
  write_file(a + "/scores.csv", "step,seconds,fcd,fcd_best\n50,1,80,80\n100,2,90,80\n");
  const std::string html = gan::comparison_page({a, b});
  CHECK(count(html, "<polyline") == 2 * 3 + 2);  // three scalars of each, two scores of one
  CHECK(count(html, "<figure class='chart'>") == 3 + 2);
  CHECK(count(html, "</i>a <b>") == 5);
  CHECK(count(html, "</i>&lt;b&gt; <b>") == 3);
  CHECK(html.find("<tr><th>lr_g</th><td>0.001</td><td>0.0002</td></tr>") != std::string::npos);
  CHECK(html.find("<tr><th>past</th><td></td><td>7</td></tr>") != std::string::npos);
  CHECK(html.find("<th>batch</th>") == std::string::npos);  // alike
  CHECK(html.find("<tr><th>fcd</th><td>best 80 at step 50, final 90 at step 100</td><td></td></tr>") !=
        std::string::npos);
  CHECK(html.find("a, step 100</figcaption>") != std::string::npos);
  CHECK(html.find("<b>,") == std::string::npos);

  fs::create_directories(scratch / "other");  // of the same last word: named by their paths
  fs::copy(a, scratch / "other/a", fs::copy_options::recursive);
  CHECK(count(gan::comparison_page({a, scratch / "other/a"}), "</i>" + a + " <b>") == 5);
}

TEST_CASE("forger report: walks on a run's page, a page on two runs, a training as a film", "[report]") {
  const Scratch scratch;
  const std::string data = tiny_data(scratch);
  const std::string run = trained(scratch, "dcgan", data), other = trained(scratch, "lsgan", data);
  CHECK(count(read_file(run + "/report.html"), "Walks through the latent space") == 0);
  const Result one = program::forger({"report", run});
  INFO(one.err);
  REQUIRE(one.code == 0);
  CHECK(one.out == run + "/report.html\n");
  CHECK(count(read_file(run + "/report.html"), "Walks through the latent space") == 1);
  CHECK(read_file(run + "/walk.png").find("acTL") != std::string::npos);
  CHECK(read_file(run + "/files.txt").find("\nwalk.png\n") != std::string::npos);

  const std::string page = scratch / "both.html", film = scratch / "training.gif";
  CHECK(program::forger({"report", run, other, "--out", page}).out == page + "\n");
  CHECK(read_file(page).find("<title>dcgan, lsgan</title>") != std::string::npos);
  CHECK(program::forger({"report", run, "--film", film}).out ==
        text(film, ": ", names_in(run + "/samples").size(), " frames\n"));
  CHECK(read_file(film).starts_with("GIF89a"));

  check_refused({"report", scratch / "none"}, "holds no run");
  check_refused({"report", run, other, "--film", film}, "--film is of one run");
  check_refused({"report", run, "--film", scratch / "film.avi"}, "films are .gif");
  check_refused({"report", run, run, run, run, run, run, run}, text("up to ", gan::most_runs, " runs, not 7"));
}
