"""Extraction needs the memory of its queue, however many photos there are."""
import tracemalloc

from fake_engine import extract_fake, train_records


def test_six_times_the_photos_need_no_more_memory(drawn_data, tmp_path):
    records = train_records(drawn_data)

    def peak(times):
        tracemalloc.start()
        try:
            extract_fake(drawn_data, tmp_path / str(times), records=records * times)
            return tracemalloc.get_traced_memory()[1]
        finally:
            tracemalloc.stop()
    peak(1)  # what the libraries keep from their first use
    few, many = peak(4), peak(24)
    # 600 photos more: their views are 5.5 MB; what the manifest says of each is about 1 KB.
    assert many - few < 600 * 3 * 32 * 32 * 3 / 4
