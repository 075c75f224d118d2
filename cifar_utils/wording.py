"""What README says of records and benchmarks, in English and in Russian; the numbers come from
`report`.
"""

from __future__ import annotations

ENGLISH = {
    "headings": "notebook | variant | network | parameters | epochs | n | accuracy % | "
    "precision % | recall % | F1 % | ROC-AUC % | MCC % | flip-averaged %",
    "no records": "There are no full-scale records yet.",
    "provenance": "Mean ± standard deviation over n seeds. Test set of {tested:,} images, looked "
    "at once a run; {trained:,} training images; {runs} run(s), seeds {seeds}; {machine}.",
    "machine": "{processor} ({instructions}), {threads} thread(s), torch {torch}, Python {python}",
    "speed headings": "training FinalCNN, crop and flip | images/s | × plain",
    "speed": "Medians of {rounds} rounds, measured in turn on {machine}. `fit` reaches "
    "{fit:.0f} % of the rate of a large matrix product on the same threads, two jobs "
    "{study:.0f} %. Of an epoch's time: {stages}. Loading CIFAR-10 takes {load:.1f} s, "
    "evaluating 10,000 images {evaluate:.1f} s; one process holds at most {memory:.2f} GB.",
    "claim": "FinalCNN is trained to the original study's {claim:.2f} % on the test set in "
    "{epochs} epochs: test accuracy {test} %, {seconds:.0f} ± {spread:.0f} s, "
    "{operations:.1f}·10¹² floating-point operations (n = {runs} seeds, of which {reached} reach "
    "it; {machine}). The number of epochs was chosen on validation images.",
}

RUSSIAN = {
    "headings": "тетрадь | вариант | сеть | параметры | эпохи | n | accuracy % | "
    "precision % | recall % | F1 % | ROC-AUC % | MCC % | с отражением %",
    "no records": "Записей полного масштаба пока нет.",
    "provenance": "Среднее ± стандартное отклонение по n зёрнам. Тестовая выборка: {tested:,} "
    "изображений, на неё смотрят один раз за запуск; обучающих изображений: {trained:,}; "
    "запусков: {runs}, зёрна {seeds}; {machine}.",
    "machine": "{processor} ({instructions}), потоков: {threads}, torch {torch}, Python {python}",
    "speed headings": "обучение FinalCNN, сдвиг и отражение | изображений/с | × простой цикл",
    "speed": "Медианы по {rounds} раундам, измерено поочерёдно на {machine}. `fit` достигает "
    "{fit:.0f} % скорости умножения больших матриц на тех же потоках, две задачи рядом — "
    "{study:.0f} %. Время эпохи: {stages}. Загрузка CIFAR-10 занимает {load:.1f} с, оценка "
    "10,000 изображений — {evaluate:.1f} с; один процесс занимает не более {memory:.2f} ГБ.",
    "claim": "До {claim:.2f} % исходной работы на тестовой выборке FinalCNN обучается за "
    "{epochs} эпох: accuracy на тесте {test} %, {seconds:.0f} ± {spread:.0f} с, "
    "{operations:.1f}·10¹² операций с плавающей точкой (n = {runs} зёрен, достигли {reached}; "
    "{machine}). Число эпох выбрано по валидационным изображениям.",
}
