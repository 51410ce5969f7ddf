"""One module per format; importing this package registers them all."""

from detection.exports.formats import coco, csv_table, json_lines, label_studio, parquet, pascal_voc, sidecars, yolo

__all__ = ["coco", "csv_table", "json_lines", "label_studio", "parquet", "pascal_voc", "sidecars", "yolo"]
